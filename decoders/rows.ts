// Sums and orders over one row of scores, in float64. Used by the naive twins; knows no expression.

/** Token ids by falling score; equal scores by rising id. */
export function descending(scores: ArrayLike<number>): number[] {
  return Array.from({ length: scores.length }, (_, id) => id).sort((a, b) => {
    const [left, right] = [scores[a] ?? NaN, scores[b] ?? NaN];
    return left === right ? a - b : right - left;
  });
}

/** log Σ exp; −∞ for a row of −∞. */
export function logSumExp(scores: ArrayLike<number>): number {
  let top = -Infinity;
  for (let id = 0; id < scores.length; id++) top = Math.max(top, scores[id] ?? NaN);
  if (top === -Infinity) return -Infinity;
  let sum = 0;
  for (let id = 0; id < scores.length; id++) sum += Math.exp((scores[id] ?? NaN) - top);
  return top + Math.log(sum);
}

/** scores − log Σ exp(scores). A row in which everything is forbidden stays so. */
export function normalise(scores: Float64Array): Float64Array {
  const total = logSumExp(scores);
  return total === -Infinity ? scores.slice() : scores.map((score) => score - total);
}
