// One token from p by way of a proposal from q: the naive twin of kernels/logits/draw.ts, and the definition of what speculation
// emits. With z drawn from q,
//
//   accept z if u < p(z) / q(z), otherwise draw from normalise(max(0, p − q)),
//
// emits exactly p: min(p, q) comes from acceptance, p − min(p, q) from the residual. The same law is used at every position of a
// request that speculates, whether or not its token was drafted: what is emitted is a function of the prefix and the seed, and the
// length of a block, which depends on load, cannot change an answer. Float64; nothing on the request path calls the draw.
import { uniform } from './random.js';
import type { Law } from './warp.js';

/** Three independent uniform numbers in [0, 1) for one position. */
export interface DraftUniforms {
  /** Draws the proposal from q; also the token itself where there is no proposal. */
  readonly propose: number;
  readonly accept: number;
  readonly residual: number;
}

/** A function of (seed, choice, position) only, as random.ts has it; `propose` is the number that plain decoding uses. */
export function draftUniforms(seed: number, choice: number, position: number): DraftUniforms {
  return {
    propose: uniform(seed, choice, position),
    accept: uniform(seed ^ 0x5bd1e995, choice, position),
    residual: uniform(seed ^ 0x27d4eb2f, choice, position),
  };
}

export interface SpeculatedDraw {
  readonly id: number;
  readonly accepted: boolean;
}

/** `p` and `q`: probabilities per token, as the sampler left them; each sums to one. `proposal` was drawn from q. */
export function drawSpeculated(
  p: ArrayLike<number>,
  q: ArrayLike<number>,
  proposal: number,
  { accept, residual }: Pick<DraftUniforms, 'accept' | 'residual'>,
): SpeculatedDraw {
  if (accept * (q[proposal] ?? 0) < (p[proposal] ?? 0)) return { id: proposal, accepted: true };
  const rest = Float64Array.from({ length: p.length }, (_, id) => Math.max(0, (p[id] ?? 0) - (q[id] ?? 0)));
  const total = rest.reduce((sum, mass) => sum + mass, 0);
  const target = Math.min(Math.max(residual, 2 ** -53), 1 - 2 ** -52) * total;
  let cumulated = 0;
  // Rounding alone can leave nothing: then p and q are one.
  let id = proposal;
  for (let token = 0; token < rest.length; token++) {
    const mass = rest[token] ?? 0;
    if (mass === 0) continue;
    cumulated += mass;
    id = token;
    if (cumulated > target) break;
  }
  return { id, accepted: false };
}

/** A law as a row of `width` probabilities. */
export function probabilities(law: Law, width: number): Float64Array {
  const row = new Float64Array(width);
  law.ids.forEach((id, index) => (row[id] = law.probs[index] ?? 0));
  return row;
}

/** All mass on one token: the q of a proposal that is looked up, not drawn. */
export function pointMass(id: number, width: number): Float64Array {
  const row = new Float64Array(width);
  row[id] = 1;
  return row;
}
