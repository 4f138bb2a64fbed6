// The naive twin of the sampler kernel, and the definition of what it does. One row, float64, in this order:
//
//   combined scores → edits (repetition, then bias + presence + frequency + bans) → mask (a constraint's) → [logprobs are log softmax HERE]
//   → temperature → top_k → top_p → min_p → one uniform number through the inverse of the cumulative distribution.
//
// temperature  Scores are divided by it. 0 is greedy: the highest score, the lowest id among equals, whatever the other
//              parameters say.
// top_k        Keeps the k highest scores; equal scores: lower ids first. 0 is off.
// top_p        Of what top_k kept, renormalised, keeps the smallest set of most probable tokens whose mass reaches p; at
//              least one; equal scores: lower ids first. 1 is off.
// min_p        Drops tokens whose probability is below min_p times the largest one. 0 is off.
// cumulation   Over what is left, in rising token id.
import { descending, normalise } from './rows.js';

export interface Warp {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
}

/** Sparse changes of the combined scores, token by token: new = (s > 0 ? s / repetition : s · repetition) + add. */
export interface Edits {
  readonly ids: readonly number[];
  /** −Infinity forbids the token. */
  readonly add: readonly number[];
  /** 1 is off. */
  readonly repetition: readonly number[];
}

export interface Penalties {
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly logitBias: readonly (readonly [tokenId: number, bias: number])[];
}

export const NO_EDITS: Edits = { ids: [], add: [], repetition: [] };

/**
 * Penalties and bias as edits. `generated` counts the answer's tokens; `promptIds` are the prompt's distinct ids (read
 * for the repetition penalty only). `banned` ids are forbidden, e.g. end tokens before `min_tokens`. Ids come in rising
 * order, each once.
 */
export function editsOf(
  penalties: Penalties,
  promptIds: Iterable<number>,
  generated: ReadonlyMap<number, number>,
  banned: readonly number[] = [],
): Edits {
  const edits = new Map<number, { add: number; repetition: number }>();
  const at = (id: number): { add: number; repetition: number } => {
    const known = edits.get(id);
    if (known) return known;
    const fresh = { add: 0, repetition: 1 };
    edits.set(id, fresh);
    return fresh;
  };
  const { repetitionPenalty, presencePenalty, frequencyPenalty } = penalties;
  if (repetitionPenalty !== 1) {
    for (const id of promptIds) at(id).repetition = repetitionPenalty;
    for (const id of generated.keys()) at(id).repetition = repetitionPenalty;
  }
  if (presencePenalty !== 0 || frequencyPenalty !== 0)
    for (const [id, count] of generated) if (count > 0) at(id).add -= presencePenalty + frequencyPenalty * count;
  for (const [id, bias] of penalties.logitBias) at(id).add += bias;
  for (const id of banned) at(id).add = -Infinity;
  const sorted = [...edits].sort(([left], [right]) => left - right);
  return {
    ids: sorted.map(([id]) => id),
    add: sorted.map(([, edit]) => edit.add),
    repetition: sorted.map(([, edit]) => edit.repetition),
  };
}

export function applyEdits(scores: Float64Array, edits: Edits): Float64Array {
  const edited = scores.slice();
  edits.ids.forEach((id, index) => {
    const score = scores[id] ?? NaN;
    const factor = edits.repetition[index] ?? 1;
    edited[id] = (score > 0 ? score / factor : score * factor) + (edits.add[index] ?? 0);
  });
  return edited;
}

/** A constraint's mask: 1 where a token is allowed. */
export function applyMask(scores: Float64Array, allowed: ArrayLike<number> | null): Float64Array {
  return allowed ? scores.map((score, id) => (allowed[id] === 1 ? score : -Infinity)) : scores;
}

export type RowStatus = 'ok' | 'dead' | 'nan';

/** dead: everything is forbidden. nan: a score is NaN or +∞. Neither can be sampled. */
export function statusOf(scores: Float64Array): RowStatus {
  if (scores.some((score) => Number.isNaN(score) || score === Infinity)) return 'nan';
  return scores.every((score) => score === -Infinity) ? 'dead' : 'ok';
}

/** What the sampler draws from: the tokens that are left, in rising id, and their probabilities, which sum to one. */
export interface Law {
  readonly ids: readonly number[];
  readonly probs: Float64Array;
}

/** The law of an edited row of status ok. */
export function lawOf(scores: Float64Array, warp: Warp): Law {
  let ids = descending(scores);
  if (warp.temperature === 0) return { ids: ids.slice(0, 1), probs: Float64Array.of(1) };
  if (warp.topK > 0) ids = ids.slice(0, warp.topK);
  if (warp.topP < 1) ids = ids.slice(0, nucleusSize(softmaxOf(ids, scores, warp.temperature), warp.topP));
  const probs = softmaxOf(ids, scores, warp.temperature);
  const threshold = warp.minP * (probs[0] ?? 0);
  ids = ids.filter((_, index) => (probs[index] ?? 0) >= threshold).sort((a, b) => a - b);
  return { ids, probs: softmaxOf(ids, scores, warp.temperature) };
}

/**
 * The first token whose cumulated probability exceeds `uniform`, which is taken from [2^-53, 1 − 2^-52]: at 0 a token
 * of vanishing probability could come out that float32 cannot tell from an impossible one. A token of probability 0 is
 * never drawn.
 */
export function draw(law: Law, uniform: number): number {
  const bounded = Math.min(Math.max(uniform, 2 ** -53), 1 - 2 ** -52);
  let cumulated = 0;
  let last = -1;
  for (let index = 0; index < law.ids.length; index++) {
    const prob = law.probs[index] ?? 0;
    if (prob === 0) continue;
    cumulated += prob;
    last = law.ids[index] ?? -1;
    if (cumulated > bounded) return last;
  }
  return last;
}

/** log softmax of the edited, pre-temperature scores: what the API calls logprobs. */
export function logprobsOf(scores: Float64Array): Float64Array {
  return normalise(scores);
}

function nucleusSize(probs: Float64Array, mass: number): number {
  let sum = 0;
  for (let count = 1; count <= probs.length; count++) {
    sum += probs[count - 1] ?? 0;
    if (sum >= mass) return count;
  }
  return probs.length;
}

function softmaxOf(ids: readonly number[], scores: Float64Array, temperature: number): Float64Array {
  return normalise(Float64Array.from(ids, (id) => (scores[id] ?? NaN) / temperature)).map(Math.exp);
}
