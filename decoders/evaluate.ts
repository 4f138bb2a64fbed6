// The naive twin of kernels/logits/lower.ts: one row of an expression in float64, plain loops, no cleverness. Tests
// compare the two; nothing on the request path calls it. The law of every node is in expr.ts.
import { viewKey, viewsOf } from './expr.js';
import type { Expr, Fused, Mask, Scores, View } from './expr.js';
import { solveFusion, type FusionWeights } from './fusion.js';
import { descending, normalise } from './rows.js';

/** Scores of one view at one position, one per token. */
export type Row = Float32Array | Float64Array | readonly number[];
export type RowOf = (view: View) => Row;

/**
 * The scores of `expr` at one position. A view that holds NaN or +∞ poisons the whole row (all NaN), also where a mask
 * or a zero weight would hide it: such a model is broken and its neighbour must not cover it up.
 */
export function evaluate(expr: Scores, rowOf: RowOf): Float64Array {
  const rows = viewsOf(expr).map((view) => Float64Array.from(rowOf(view)));
  const width = commonWidth(rows);
  if (rows.some((row) => row.some((score) => Number.isNaN(score) || score === Infinity)))
    return new Float64Array(width).fill(NaN);
  const byView = new Map(viewsOf(expr).map((view, index) => [viewKey(view), rows[index]]));
  return scoresOf(expr, (view) => byView.get(viewKey(view)) ?? []);
}

/** The weights that a fusion uses at one position. Views are taken to be sound. */
export function evaluateFusion(node: Fused, rowOf: RowOf): FusionWeights {
  return solveFusion(fusionRows(node, rowOf), node.bounds, node.search);
}

/** Which tokens a mask holds. Views are taken to be sound. */
export function evaluateMask(mask: Mask, rowOf: RowOf): boolean[] {
  const logprobs = scoresOf(mask.of, rowOf);
  switch (mask.kind) {
    case 'plausible': {
      const threshold = logprobs.reduce((top, logprob) => Math.max(top, logprob), -Infinity) + Math.log(mask.ratio);
      return Array.from(logprobs, (logprob) => logprob >= threshold);
    }
    case 'nucleus': {
      const kept = new Array<boolean>(logprobs.length).fill(mask.mass >= 1);
      let before = 0;
      for (const id of descending(logprobs)) {
        if (before >= mask.mass && before > 0) break;
        kept[id] = true;
        before += Math.exp(logprobs[id] ?? NaN);
      }
      return kept;
    }
    default:
      return mask satisfies never;
  }
}

function scoresOf(node: Scores, rowOf: RowOf): Float64Array {
  switch (node.kind) {
    case 'logits':
      return Float64Array.from(rowOf(node.view));
    case 'linear': {
      const live = node.terms.filter((term) => term.weight !== 0);
      const terms = live.map(({ weight, of }) => ({ weight, scores: scoresOf(of, rowOf) }));
      return perToken(node, rowOf, (id) => {
        if (terms.some(({ scores }) => scores[id] === -Infinity)) return -Infinity;
        return terms.reduce((sum, { weight, scores }) => sum + weight * (scores[id] ?? NaN), 0);
      });
    }
    case 'maximum': {
      const members = node.of.map((member) => scoresOf(member, rowOf));
      return perToken(node, rowOf, (id) => Math.max(...members.map((scores) => scores[id] ?? NaN)));
    }
    case 'minimum': {
      const members = node.of.map((member) => scoresOf(member, rowOf));
      return perToken(node, rowOf, (id) => Math.min(...members.map((scores) => scores[id] ?? NaN)));
    }
    case 'where': {
      const [then, otherwise] = [scoresOf(node.then, rowOf), scoresOf(node.otherwise, rowOf)];
      const mask = evaluateMask(node.mask, rowOf);
      return then.map((score, id) => (mask[id] ? score : (otherwise[id] ?? NaN)));
    }
    case 'masked': {
      const mask = evaluateMask(node.mask, rowOf);
      return scoresOf(node.of, rowOf).map((score, id) => (mask[id] ? score : -Infinity));
    }
    case 'fused': {
      const { base, reference, experts } = fusionRows(node, rowOf);
      const { weights } = solveFusion({ base, reference, experts }, node.bounds, node.search);
      return perToken(node, rowOf, (id) => {
        if ([base, reference, ...experts].some((scores) => scores[id] === -Infinity)) return -Infinity;
        return experts.reduce(
          (sum, expert, index) => sum + (weights[index] ?? NaN) * ((expert[id] ?? NaN) - (reference[id] ?? NaN)),
          base[id] ?? NaN,
        );
      });
    }
    case 'logSoftmax':
      return normalise(scoresOf(node.of, rowOf));
    default:
      return node satisfies never;
  }
}

interface FusionRows {
  readonly base: Float64Array;
  readonly reference: Float64Array;
  readonly experts: readonly Float64Array[];
}

function fusionRows({ base, reference, experts }: Fused, rowOf: RowOf): FusionRows {
  return {
    base: scoresOf(base, rowOf),
    reference: scoresOf(reference, rowOf),
    experts: experts.map((expert) => scoresOf(expert, rowOf)),
  };
}

function perToken(node: Expr, rowOf: RowOf, score: (id: number) => number): Float64Array {
  return Float64Array.from({ length: commonWidth(viewsOf(node).map(rowOf)) }, (_, id) => score(id));
}

function commonWidth(rows: readonly Row[]): number {
  const width = rows[0]?.length ?? 0;
  if (rows.some((row) => row.length !== width))
    throw new RangeError(
      `views of one expression must have equally long rows; got ${rows.map((row) => row.length).join(', ')}`,
    );
  return width;
}
