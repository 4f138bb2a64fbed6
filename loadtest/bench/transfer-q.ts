// transfer_q against the schedule of its published code, against itself with more requests at once, and in blocks against plain decoding: on a
// made-up model of 135M, where computing decides and the reward has no bounds, and on a model of the pocket suite, whose reward is bounded.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Scorer, SearchPlan } from '../../decoders/plan.js';
import { commit, force, logprobs as nextTokens } from '../../decoders/search.js';
import type { Branch, Search, SearchAnswer, Searching } from '../../decoders/search.js';
import { runSearch } from '../../decoders/searches/index.js';
import { plainly } from '../../decoders/searches/sample.js';
import { buildDecoding } from '../../decoders/spec.js';
import { Tokenizer } from '../../server/models/tokenizer.js';
import { promptIds } from '../arrivals.js';
import { shapes } from './checkpoint.js';
import { plain, type BenchModel, type FolderModel, type InProcessWork } from './in-process.js';
import { publishedSchedule, type PublishedValues } from './published-schedule.js';
import { atLeast, atMost, informs, median, type Row } from './rows.js';
import { SearchEngine } from './search-engine.js';
import { firstWordId } from './tokenizer.js';
import { packageRoot } from './server.js';

const ROUNDS = 2;
/** What there is of the answer, prompt included: the middle of 128 new tokens after a prompt of 160. */
const PREFIX = 224;
const CANDIDATES = 10;
const LOOKAHEAD = 20;
const WEIGHT = 1;
/** Eight requests with ten rollouts each, and as many answers that are read. */
const MAX_ROWS = 256;

/** Models called `model` and `reward`, and what they read. */
interface World {
  readonly name: string;
  readonly models: Readonly<Record<'model' | 'reward', BenchModel | FolderModel>>;
  readonly vocabSize: number;
  readonly head: string;
  readonly range: readonly [number, number] | null;
  prefix(serial: number): readonly number[];
}

/** A search that is timed from where all prefixes are computed to where so many tokens are decided. */
interface Job {
  readonly plan: SearchPlan;
  readonly search: (trunk: Branch) => Search;
  readonly tokens: number;
}

export const benchTransferQ = (): Promise<Row[]> => benchWorld(madeUp());
export const benchTransferQPocket = (): Promise<Row[]> => benchWorld(pocket());

function madeUp(): World {
  const words = { firstId: firstWordId, endId: shapes.smol135.vocab };
  return {
    name: 'smol135',
    models: {
      model: { shape: 'smol135', weights: 'w8a8' },
      reward: { shape: 'tiny49k', weights: 'f32', kind: 'reward' },
    },
    vocabSize: shapes.smol135.vocab,
    head: 'score',
    range: null,
    prefix: (serial) => promptIds({ tokens: PREFIX, ...words }, 17, serial),
  };
}

function pocket(): World {
  const folder = (name: string): string => path.join(packageRoot, 'models', 'pocket', name);
  const text = readFileSync(path.join(folder('eval'), 'heldout.txt'), 'utf8');
  const ids = Tokenizer.load(folder('large-chat')).encode(text, { addSpecialTokens: false });
  return {
    name: 'pocket-large-chat',
    models: {
      model: { folder: folder('large-chat'), weights: 'f32' },
      reward: { folder: folder('reward-1a'), weights: 'f32', kind: 'reward' },
    },
    vocabSize: 1536,
    head: 'helpful',
    range: [-4, 4],
    prefix: (serial) => [...ids].slice((serial * 97) % (ids.length - PREFIX)).slice(0, PREFIX),
  };
}

async function benchWorld(world: World): Promise<Row[]> {
  const token = planOf(world, {});
  const ours = (change: object, tokens: number): Job => {
    const plan = planOf(world, change);
    return { plan, tokens, search: (trunk) => runSearch(plan, trunk) };
  };
  const values: PublishedValues = {
    ...(token.values as { readonly reward: Scorer }),
    candidates: CANDIDATES,
    lookahead: LOOKAHEAD,
    rewardWeight: WEIGHT,
  };
  const sides: Readonly<Record<string, readonly Job[]>> = {
    published: [{ plan: token, tokens: 1, search: (trunk) => publishedSchedule(trunk, values) }],
    token: [ours({}, 4)],
    eight: Array.from({ length: 8 }, () => ours({}, 2)),
    blocks: [ours({ block: 8 }, 16)],
    halved: [ours({ block: 8, halving: true }, 16)],
    plain: [{ plan: token, tokens: 24, search: plainly }],
  };
  /** Milliseconds a token, by side, one entry a round. */
  const takes: Record<string, number[]> = {};
  const bench = new Bench(await SearchEngine.start(world.models, MAX_ROWS), world);
  try {
    for (let round = 0; round <= ROUNDS; round++)
      for (const [side, jobs] of Object.entries(sides)) {
        const ms = (await bench.run(jobs)) / jobs.reduce((sum, { tokens }) => sum + tokens, 0);
        if (round > 0) (takes[side] ??= []).push(ms);
      }
  } finally {
    await bench.stop();
  }
  const told = (side: string): string => (takes[side] ?? []).map((ms) => ms.toPrecision(3)).join(', ');
  const of = (over: string, under: string): readonly [ratio: number, note: string] => [
    median((takes[over] ?? []).map((ms, round) => ms / (takes[under]?.[round] ?? NaN))),
    `${told(over)} against ${told(under)} ms a token`,
  ];
  const { name } = world;
  const [published, publishedNote] = of('published', 'token');
  const [eight, eightNote] = of('token', 'eight');
  const [blocks, blocksNote] = of('blocks', 'plain');
  const [halved, halvedNote] = of('halved', 'plain');
  const [whole, wholeNote] = of('token', 'plain');
  const setting = `${PREFIX} tokens so far, ${CANDIDATES} candidates, ${LOOKAHEAD} ahead: `;
  return [
    atLeast(`${name}: tokens/s ÷ published schedule`, published, '×', 5, setting + publishedNote),
    atLeast(`${name}: tokens/s of 8 requests ÷ of 1`, eight, '×', 2, eightNote),
    atMost(`${name}: time in blocks of 8 ÷ plain`, blocks, '×', 6, blocksNote),
    informs(`${name}: time in blocks of 8 with halving ÷ plain`, halved, '×', halvedNote),
    informs(`${name}: time token by token ÷ plain`, whole, '×', wholeNote),
  ];
}

/** One model proposes and looks ahead, as in the published code. */
function planOf({ head, range }: World, change: object): SearchPlan {
  const reward = { kind: 'reward', model: 'reward', head, ...(range ? { range } : {}) };
  const spec = { method: 'transfer_q', proposal: 'model', baseline: 'model', reward, reward_weight: WEIGHT };
  const { search } = buildDecoding(
    { ...spec, candidates: CANDIDATES, lookahead: LOOKAHEAD, ...change },
    {
      models: ['model'],
      allowNegativeWeights: false,
      // The place of the pocket's head among its own is the first too.
      rewardModels: new Map([['reward', { heads: [head], statistics: null }]]),
    },
  );
  if (!search) throw new Error('transfer_q is a search');
  return search;
}

class Bench {
  readonly #engine: SearchEngine;
  readonly #world: World;
  #serial = 0;

  constructor(engine: SearchEngine, world: World) {
    this.#engine = engine;
    this.#world = world;
  }

  async run(jobs: readonly Job[]): Promise<number> {
    let [waiting, running] = [jobs.length, jobs.length];
    let [startedMs, endedMs] = [NaN, NaN];
    const { vocabSize } = this.#world;
    const work: InProcessWork = {
      distribution: plain('model'),
      // The rest of the prefix counts as generated: a branch that is rewound to its beginning has nothing computed.
      prompt: { tokens: 1, firstId: 259, endId: 260 },
      maxTokens: PREFIX + 100,
      vocabSize,
    };
    const owns = jobs.map(({ plan, search, tokens }) => {
      const prefix = this.#world.prefix(this.#serial++);
      return {
        work,
        plan,
        *search(trunk: Branch): Search {
          yield* force(trunk, prefix);
          yield* commit(trunk);
          yield* nextTokens(trunk, 1);
          waiting--;
          while (waiting > 0) yield* nextTokens(trunk, 1);
          startedMs = performance.now();
          yield* upTo(trunk, PREFIX + tokens, search(trunk));
          if (--running === 0) endedMs = performance.now();
        },
      };
    });
    await this.#engine.runTogether(owns);
    return endedMs - startedMs;
  }

  stop(): Promise<void> {
    return this.#engine.stop();
  }
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
