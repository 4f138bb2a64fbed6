// How far one law is from another that stands in for it.

/** KL(p‖q) of the laws that two rows of logits say, in nats. */
export function divergence(reference: readonly number[], other: readonly number[]): number {
  const logprobs = (row: readonly number[]): number[] => {
    const top = Math.max(...row);
    const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top;
    return row.map((x) => x - total);
  };
  const [p, q] = [logprobs(reference), logprobs(other)];
  return p.reduce((sum, x, i) => sum + Math.exp(x) * (x - q[i]!), 0);
}

/** Over rows. */
export const meanDivergence = (reference: readonly number[][], other: readonly number[][]): number =>
  reference.reduce((sum, row, r) => sum + divergence(row, other[r]!), 0) / reference.length;
