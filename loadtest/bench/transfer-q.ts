// transfer_q against the schedule of its published code, against itself with more requests at once, and in blocks against plain decoding. All of
// them run in one engine in this process, which lets searches of a benchmark stand beside the real one.
import type { Scorer, SearchPlan } from '../../decoders/plan.js';
import {
  commit,
  force,
  logprobs as nextTokens,
  type Branch,
  type Search,
  type SearchAnswer,
  type Searching,
} from '../../decoders/search.js';
import { runSearch } from '../../decoders/searches/index.js';
import { plainly } from '../../decoders/searches/sample.js';
import { buildDecoding } from '../../decoders/spec.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import { Engine } from '../../server/engine/engine.js';
import type { EngineSettings } from '../../server/engine/messages.js';
import { EngineModel } from '../../server/engine/model.js';
import { ReadCache } from '../../server/engine/reads.js';
import { sourceText } from '../../server/models/source-text.js';
import { greedySampling, type DecodeRequest } from '../../server/wire/decode.js';
import { promptIds } from '../arrivals.js';
import { shapes } from './checkpoint.js';
import { settingsOf } from './in-process.js';
import { publishedSchedule, type PublishedValues } from './published-schedule.js';
import { atLeast, atMost, informs, median, type Row } from './rows.js';
import { firstTextId } from './tokenizer.js';

const ROUNDS = 3;
const SHAPE = 'smol135';
const VOCAB = shapes[SHAPE].vocab;
/** What the answer has so far, prompt included: the middle of 128 new tokens after a prompt of 160. */
const PREFIX = 224;
const CANDIDATES = 10;
const LOOKAHEAD = 20;
const WEIGHT = 1;

const spec = {
  method: 'transfer_q',
  // One aligned model for both, as in the published code.
  proposal: 'model',
  baseline: 'model',
  reward: 'reward',
  candidates: CANDIDATES,
  lookahead: LOOKAHEAD,
  reward_weight: WEIGHT,
};
const planOf = (change: object): SearchPlan => {
  const { search } = buildDecoding(
    { ...spec, ...change },
    {
      models: ['model'],
      allowNegativeWeights: false,
      rewardModels: new Map([['reward', { heads: ['score'], statistics: null }]]),
    },
  );
  if (!search) throw new Error('transfer_q is a search');
  return search;
};
const token = planOf({});
const blocks = planOf({ block: 8 });
const halved = planOf({ block: 8, halving: true });

/** A search that is timed from where its prefix is computed to where so many tokens are decided. */
interface Job {
  readonly plan: SearchPlan;
  readonly search: (trunk: Branch) => Search;
  readonly tokens: number;
}

export async function benchTransferQ(): Promise<Row[]> {
  const bench = await Bench.start();
  const ours = (plan: SearchPlan, tokens: number): Job => ({ plan, tokens, search: (trunk) => runSearch(plan, trunk) });
  const values: PublishedValues = {
    ...(token.values as { readonly reward: Scorer }),
    candidates: CANDIDATES,
    lookahead: LOOKAHEAD,
    rewardWeight: WEIGHT,
  };
  const sides: Readonly<Record<string, readonly Job[]>> = {
    published: [{ plan: token, tokens: 1, search: (trunk) => publishedSchedule(trunk, values) }],
    token: [ours(token, 4)],
    eight: Array.from({ length: 8 }, () => ours(token, 2)),
    blocks: [ours(blocks, 16)],
    halved: [ours(halved, 16)],
    plain: [{ plan: token, tokens: 32, search: plainly }],
  };
  try {
    /** Milliseconds a token, by side, one entry a round. */
    const takes: Record<string, number[]> = {};
    for (let round = 0; round <= ROUNDS; round++)
      for (const [side, jobs] of Object.entries(sides)) {
        const ms = (await bench.run(jobs)) / jobs.reduce((sum, { tokens }) => sum + tokens, 0);
        if (round > 0) (takes[side] ??= []).push(ms);
      }
    const ratio = (over: string, under: string): number =>
      median((takes[over] ?? []).map((ms, round) => ms / (takes[under]?.[round] ?? NaN)));
    const told = (side: string): string => (takes[side] ?? []).map((ms) => ms.toFixed(0)).join(', ');
    const shape = `${SHAPE}, q8, ${PREFIX} tokens so far, ${CANDIDATES} candidates, ${LOOKAHEAD} ahead`;
    const between = (over: string, under: string): string => `${told(over)} against ${told(under)} ms a token`;
    return [
      atLeast(
        'tokens/s ÷ published schedule, 1 request',
        ratio('published', 'token'),
        '×',
        5,
        `${shape}: ${between('published', 'token')}`,
      ),
      atLeast('tokens/s of 8 requests ÷ of 1', ratio('token', 'eight'), '×', 2, between('token', 'eight')),
      atMost('time in blocks of 8 ÷ plain decoding', ratio('blocks', 'plain'), '×', 6, between('blocks', 'plain')),
      informs('time in blocks of 8 with halving ÷ plain decoding', ratio('halved', 'plain'), '×', told('halved')),
      informs('time token by token ÷ plain decoding', ratio('token', 'plain'), '×'),
    ];
  } finally {
    await bench.stop();
  }
}

class Bench {
  readonly #engine: Engine;
  readonly #models: readonly EngineModel[];
  readonly #kernels: LogitKernels;
  readonly #searches: Map<string, (trunk: Branch) => Search>;
  #requests = 0;

  private constructor(
    engine: Engine,
    models: readonly EngineModel[],
    kernels: LogitKernels,
    searches: Map<string, (trunk: Branch) => Search>,
  ) {
    this.#engine = engine;
    this.#models = models;
    this.#kernels = kernels;
    this.#searches = searches;
  }

  static async start(): Promise<Bench> {
    const settings: EngineSettings = {
      ...(await settingsOf({
        model: { shape: SHAPE, weights: 'q8' },
        reward: { shape: 'tiny', weights: 'f32', kind: 'reward' },
      })),
      // Eight requests with ten rollouts each, and as many answers that are read.
      maxRows: 256,
    };
    const models: EngineModel[] = [];
    for (const model of settings.models) models.push(await EngineModel.load(model, settings, () => undefined));
    const kernels = new LogitKernels({ threads: 1 });
    const searches = new Map<string, (trunk: Branch) => Search>();
    const engine = new Engine(new Map(models.map((model) => [model.name, model])), kernels, settings, {
      search: ({ method }, trunk) => searches.get(method)?.(trunk) ?? plainly(trunk),
      text: sourceText(settings.models),
      askEndpoint: () => Promise.reject(new Error('no endpoint here')),
      known: new ReadCache(),
      failsWithScorer: true,
    });
    return new Bench(engine, models, kernels, searches);
  }

  /** Milliseconds from where all of them have their prefix computed to where the last one has its tokens. */
  async run(jobs: readonly Job[]): Promise<number> {
    let [waiting, running] = [jobs.length, jobs.length];
    let [startedMs, endedMs] = [NaN, NaN];
    const ids = jobs.map((job) => {
      const id = `job ${this.#requests++}`;
      const prefix = [...promptIds({ tokens: PREFIX, firstId: firstTextId, endId: VOCAB }, 17, this.#requests)];
      this.#searches.set(id, function* (trunk) {
        yield* force(trunk, prefix);
        yield* commit(trunk);
        yield* nextTokens(trunk, 1);
        waiting--;
        while (waiting > 0) yield* nextTokens(trunk, 1);
        startedMs = performance.now();
        yield* upTo(trunk, PREFIX + job.tokens, job.search(trunk));
        if (--running === 0) endedMs = performance.now();
      });
      this.#engine.submit(requestOf(id, job.plan));
      return id;
    });
    while (running > 0)
      for (const { event } of await this.#engine.tick())
        if (event.kind === 'failed') throw new Error(`a benchmark request failed: ${JSON.stringify(event.error)}`);
    for (const id of ids) this.#engine.cancel(id);
    while (!this.#engine.idle) await this.#engine.tick();
    return endedMs - startedMs;
  }

  async stop(): Promise<void> {
    for (const model of this.#models) await model.release();
    await this.#kernels.release();
  }
}

function requestOf(id: string, plan: SearchPlan): DecodeRequest {
  return {
    requestId: id,
    distribution: plan.distributions[0] as DecodeRequest['distribution'],
    // The prompt is the first of the forced tokens: so a branch that is rewound to its beginning has nothing computed.
    promptIds: [Int32Array.of(firstTextId)],
    search: {
      plan: { ...plan, method: id },
      frames: plan.sources.map(() => [{ before: '', after: '', trims: false, addSpecialTokens: false }]),
      messages: [],
    },
    tokenizer: 'model',
    vocabSize: VOCAB,
    n: 1,
    seed: 1,
    sampling: greedySampling,
    maxTokens: PREFIX + 100,
    minTokens: 0,
    stop: [],
    includeStop: false,
    stopTokenIds: [],
    logprobs: null,
    priority: 0,
  };
}

/** Drives a search until the trunk has so many tokens. */
function* upTo(trunk: Branch, length: number, search: Search): Searching<void> {
  let step = search.next();
  while (step.done !== true && trunk.tokens.length < length) {
    const answer: SearchAnswer = yield step.value;
    step = search.next(answer);
  }
  search.return();
}
