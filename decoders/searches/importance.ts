// What rollouts of a baseline say of a candidate's value under a reward: the mean of their rewards where the baseline is aligned with that
// reward (direct transfer), a weighted one where it is aligned with another (indirect transfer). With the same inverse β for both,
//
//   ρ_reward(rollout) ∝ ρ_baseline(rollout) · exp((reward − baselineReward) / β)
//
// so rollouts of the baseline are weighted by wᵢ = exp((rᵢ − bᵢ) / β). Knows no search.

export type Importance = 'self_normalised' | 'code' | 'none';

/** `baselineRewards` are parallel to `rewards`, and empty where `importance` is "none". */
export function valueOf(
  rewards: readonly number[],
  baselineRewards: readonly number[],
  importance: Importance,
  inverseBeta: number,
): number {
  switch (importance) {
    case 'none':
      return mean(rewards);
    case 'self_normalised':
      return selfNormalised(rewards, exponents(rewards, baselineRewards, inverseBeta));
    case 'code': {
      // As the paper's code has it: mean of wᵢ·rᵢ, which is the value times the mean weight, and that differs between candidates. Not monotone in r.
      const logWeights = exponents(rewards, baselineRewards, inverseBeta);
      return mean(rewards.map((reward, index) => share(Math.exp(logWeights[index] ?? NaN), reward)));
    }
    default:
      return importance satisfies never;
  }
}

function exponents(rewards: readonly number[], baselineRewards: readonly number[], inverseBeta: number): number[] {
  return rewards.map((reward, index) => (reward - (baselineRewards[index] ?? NaN)) * inverseBeta);
}

/** Σ wᵢ·rᵢ / Σ wᵢ; the greatest exponent is taken off first, so that the largest weight is 1, be it that of a forbidden answer. */
function selfNormalised(rewards: readonly number[], logWeights: readonly number[]): number {
  const greatest = logWeights.reduce((most, each) => Math.max(most, each), -Infinity);
  const weights = logWeights.map((each) => (each === greatest ? 1 : Math.exp(each - greatest)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return rewards.reduce((sum, reward, index) => sum + share(weights[index] ?? NaN, reward), 0) / total;
}

/** w·r, which goes to 0 with exp(r)·r where an answer is forbidden: r = −∞. */
function share(weight: number, reward: number): number {
  return weight === 0 ? 0 : weight * reward;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
