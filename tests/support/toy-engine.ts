// Requests to a real engine over toy decoders, and the answers that they must get: naive decoding, the whole context through every model
// for every token.
import fc from 'fast-check';
import { expect } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { linear, logits, viewsOf, type Scores } from '../../decoders/expr.js';
import { lookUp } from '../../decoders/lookup.js';
import { uniform } from '../../decoders/random.js';
import { draftUniforms, drawSpeculated, pointMass, probabilities } from '../../decoders/speculation.js';
import { runSearch } from '../../decoders/searches/index.js';
import { applyEdits, applyMask, draw, editsOf, lawOf, logprobsOf } from '../../decoders/warp.js';
import type { BlockPolicy } from '../../server/engine/block-policy.js';
import { Engine, type EngineLimits, type RequestEvent } from '../../server/engine/engine.js';
import type { Kernels } from '../../server/engine/fuse.js';
import type { Pace } from '../../server/engine/pace.js';
import { Constraints } from '../../server/engine/constraint.js';
import { ReadCache } from '../../server/engine/reads.js';
import type { RunServices } from '../../server/engine/run.js';
import { greedySampling, type DecodeEvent, type DecodeRequest } from '../../server/wire/decode.js';
import { allowedAfter } from './toy-constraint.js';
import { TOY_VOCAB, toyLogits, toyModel, type ToyLimits, type ToyOptions } from './toy-decoder.js';
import { twinKernels } from './twin-kernels.js';

export const END = TOY_VOCAB - 1;
export const SALTS: Record<string, number> = { large: 1, small: 2, tuned: 3, near: 1 };
/** Differs a little from `large`: a good draft. */
const TILTS: Record<string, number> = { near: 9 };
export const plain = logits('large');
export const eft = (weight: number): Scores =>
  linear([
    [1, logits('large')],
    [
      weight,
      linear([
        [1, logits('tuned')],
        [-1, logits('small')],
      ]),
    ],
  ]);

export function request(id: string, change: Partial<DecodeRequest> = {}): DecodeRequest {
  const distribution = change.distribution ?? plain;
  return {
    requestId: id,
    distribution,
    promptIds: viewsOf(distribution).map(() => Int32Array.from([1, 2, 3])),
    tokenizer: 'large',
    vocabSize: TOY_VOCAB,
    n: 1,
    seed: 7,
    sampling: { ...greedySampling, temperature: 1 },
    maxTokens: 12,
    minTokens: 0,
    stop: [],
    includeStop: false,
    stopTokenIds: [END],
    logprobs: { top: 0, full: false, prompt: false },
    priority: 0,
    ...change,
  };
}

export interface Setup {
  readonly limits?: ToyLimits & Partial<EngineLimits>;
  readonly options?: Partial<ToyOptions>;
  readonly blocks?: BlockPolicy;
  readonly pace?: Pace;
  readonly kernels?: Kernels;
  readonly services?: Partial<RunServices>;
}

/** Letters are tokens. */
export function toyEncoding(text: string): Int32Array {
  return Int32Array.from(text, (letter) => (letter.charCodeAt(0) - 97 + 10 * END) % END);
}

/** Letters are tokens; nothing is asked of the network. */
export function toyServices(): RunServices {
  return {
    search: runSearch,
    text: { encode: (_, text) => toyEncoding(text) },
    askEndpoint: () => Promise.reject(new Error('this test has no endpoint')),
    known: new ReadCache(),
    constraints: new Constraints(),
    failsWithScorer: true,
  };
}

export function makeEngine({
  limits = {},
  options = {},
  blocks,
  pace,
  kernels = twinKernels,
  services = {},
}: Setup = {}): {
  engine: Engine;
  models: Map<string, ReturnType<typeof toyModel>>;
} {
  const models = new Map(
    Object.entries(SALTS).map(([name, salt]) => [
      name,
      toyModel(name, { salt, tilt: TILTS[name] ?? null, ...options }, limits),
    ]),
  );
  const settings = {
    ...limits,
    tokensPerTick: limits.tokensPerTick ?? 64,
    maxRows: limits.maxRows ?? 64,
    maxWaiting: limits.maxWaiting ?? 1000,
  };
  const engine = new Engine(models, kernels, settings, { ...toyServices(), ...services }, blocks, pace);
  return { engine, models };
}

export async function drain(engine: Engine, log: RequestEvent[] = []): Promise<Map<string, DecodeEvent[]>> {
  for (let tick = 0; !engine.idle; tick++) {
    if (tick > 5000) throw new Error('the engine does not come to rest');
    log.push(...(await engine.tick()));
  }
  engine.check();
  const byRequest = new Map<string, DecodeEvent[]>();
  for (const { requestId, event } of log) byRequest.set(requestId, [...(byRequest.get(requestId) ?? []), event]);
  return byRequest;
}

export interface Answer {
  readonly ids: number[];
  readonly logprobs: number[];
  readonly text: string;
  readonly reason: string;
}

/** An end token that does not end has no text. */
function textOf(ids: readonly number[]): string {
  return ids.map((id) => (id === END ? '' : String.fromCharCode(97 + id))).join('');
}

/** Naive decoding of one choice: the whole context through every model for every token. `lawAt`: of a request that is changed while it runs. */
export function naive(
  req: DecodeRequest,
  choice: number,
  ropeSwitch = Infinity,
  lawAt: (position: number) => Scores = () => req.distribution,
): Answer {
  const ids: number[] = [];
  const logprobs: number[] = [];
  const counts = new Map<number, number>();
  const views = viewsOf(req.distribution);
  const rowOf = (model: string, view: number): Float32Array => {
    const all = [...(req.promptIds[view] ?? req.promptIds[0]!), ...ids];
    return toyLogits(all, SALTS[model]!, all.length > ropeSwitch, TILTS[model]);
  };
  for (;;) {
    const edits = editsOf(
      req.sampling,
      new Set(req.promptIds[0]),
      counts,
      ids.length < req.minTokens ? req.stopTokenIds : [],
    );
    const allowed = req.constraint ? allowedAfter(req.constraint, ids, req.stopTokenIds).allowed : null;
    const steered = (own: Float64Array): Float64Array => applyMask(applyEdits(own, edits), allowed);
    const scores = steered(
      evaluate(lawAt(ids.length), (view) =>
        rowOf(
          view.model,
          views.findIndex(({ model }) => model === view.model),
        ),
      ),
    );
    const id = naiveDraw(req, choice, ids, scores, steered, rowOf);
    if (req.stopTokenIds.includes(id)) return { ids, logprobs, text: textOf(ids), reason: 'stop' };
    ids.push(id);
    counts.set(id, (counts.get(id) ?? 0) + 1);
    logprobs.push(logprobsOf(scores)[id]!);
    if (req.constraint && allowedAfter(req.constraint, ids, req.stopTokenIds).isOver)
      return { ids, logprobs, text: textOf(ids), reason: 'stop' };
    if (ids.length === req.maxTokens) return { ids, logprobs, text: textOf(ids), reason: 'length' };
  }
}

export function answerOf(events: readonly DecodeEvent[], choice: number): Answer {
  const deltas = events.flatMap((event) => (event.kind === 'delta' && event.choice === choice ? [event] : []));
  const finished = events.find((event) => event.kind === 'finished' && event.choice === choice);
  const tokens = deltas.flatMap((delta) => delta.tokens);
  return {
    ids: tokens.map(({ id }) => id),
    logprobs: tokens.map(({ logprob }) => logprob),
    text: deltas.map(({ text }) => text).join(''),
    reason: finished?.kind === 'finished' ? finished.reason : 'none',
  };
}

export function expectNaive(
  events: readonly DecodeEvent[] | undefined,
  req: DecodeRequest,
  ropeSwitch?: number,
  lawAt?: (choice: number, position: number) => Scores,
): void {
  expect(events?.at(-1)?.kind).toBe('done');
  for (let choice = 0; choice < req.n; choice++) {
    const actual = answerOf(events!, choice);
    const expected = naive(req, choice, ropeSwitch, lawAt && ((position) => lawAt(choice, position)));
    expect({ ...actual, logprobs: [] }).toEqual({ ...expected, logprobs: [] });
    actual.logprobs.forEach((logprob, i) => expect(logprob).toBeCloseTo(expected.logprobs[i]!, 5));
  }
}

/** The token of one position: a function of the prefix, whatever was drafted. */
function naiveDraw(
  req: DecodeRequest,
  choice: number,
  ids: readonly number[],
  scores: Float64Array,
  steered: (scores: Float64Array) => Float64Array,
  rowOf: (model: string, view: number) => Float32Array,
): number {
  const law = lawOf(scores, req.sampling);
  const uniforms = draftUniforms(req.seed, choice, ids.length);
  const plainly = draw(law, uniform(req.seed, choice, ids.length));
  if (!req.speculation || req.sampling.temperature === 0) return plainly;
  const p = probabilities(law, TOY_VOCAB);
  if (req.speculation.draft === 'lookup') {
    const proposal = lookUp([...req.promptIds[0]!, ...ids]);
    return proposal === null ? plainly : drawSpeculated(p, pointMass(proposal, TOY_VOCAB), proposal, uniforms).id;
  }
  const views = viewsOf(req.distribution);
  const member = views.findIndex(({ model }) => model === req.speculation!.draft);
  const row = rowOf(req.speculation.draft, member < 0 ? views.length : member);
  const drafts = lawOf(steered(Float64Array.from(row)), req.sampling);
  return drawSpeculated(p, probabilities(drafts, TOY_VOCAB), draw(drafts, uniforms.propose), uniforms).id;
}

export const arbitraryRequest = fc.record({
  weight: fc.constantFrom(null, 0.5, 1, 1.5),
  promptLength: fc.integer({ min: 1, max: 90 }),
  maxTokens: fc.integer({ min: 1, max: 20 }),
  n: fc.constantFrom(1, 1, 1, 3),
  temperature: fc.constantFrom(0, 0.7, 1),
  topP: fc.constantFrom(1, 0.8),
  minTokens: fc.constantFrom(0, 4),
  repetitionPenalty: fc.constantFrom(1, 1.3),
  frequencyPenalty: fc.constantFrom(0, 0.5),
  seed: fc.nat(),
  priority: fc.integer({ min: -1, max: 1 }),
  /** Ticks before it arrives. */
  after: fc.nat(8),
});

export function requestOf(
  id: string,
  r: typeof arbitraryRequest extends fc.Arbitrary<infer T> ? T : never,
): DecodeRequest {
  const distribution = r.weight === null ? plain : eft(r.weight);
  return request(id, {
    distribution,
    // Members may have prompts of their own length, as with templates.
    promptIds: viewsOf(distribution).map((_, v) =>
      Int32Array.from({ length: r.promptLength + v }, (_, i) => (i * 7 + r.promptLength) % END),
    ),
    n: r.n,
    seed: r.seed,
    maxTokens: r.maxTokens,
    minTokens: Math.min(r.minTokens, r.maxTokens),
    priority: r.priority,
    sampling: {
      temperature: r.temperature,
      topK: 0,
      topP: r.topP,
      minP: 0,
      repetitionPenalty: r.repetitionPenalty,
      presencePenalty: 0,
      frequencyPenalty: r.frequencyPenalty,
      logitBias: [],
    },
  });
}
