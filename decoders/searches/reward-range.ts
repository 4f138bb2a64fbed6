// Bounds of a reward, and what follows from them: a lead in log-probability that no reward can make up for needs no reward. Knows no scorer
// and no branch; used by the searches that weigh log-probabilities against rewards.
import { readNumber, SpecError } from '../fields.js';
import type { Field } from '../fields.js';

export type RewardRange = readonly [least: number, most: number];

const MAX_REWARD = 1e6;

/** [least, most]. */
export function rewardRange(help: string): Field<RewardRange> {
  return {
    type: 'list of two numbers',
    help,
    range: 'the first below the second',
    fallback: undefined,
    read: (value, path) => {
      if (!Array.isArray(value) || value.length !== 2)
        throw new SpecError(path, 'wrong type', value, 'Use two numbers: [least, most].');
      const least = readNumber(value[0], `${path}[0]`, -MAX_REWARD, MAX_REWARD);
      const most = readNumber(value[1], `${path}[1]`, -MAX_REWARD, MAX_REWARD);
      if (least >= most) throw new SpecError(path, 'out of range', value, 'The first must be below the second.');
      return [least, most];
    },
    show: (value) => value,
  };
}

/** The reward, cut to the range where one was given: so a range that is too narrow changes rewards, never what a skip leaves out. */
export function within(range: RewardRange | null, reward: number): number {
  return range === null ? reward : Math.min(Math.max(reward, range[0]), range[1]);
}

/**
 * Whether the first candidate has the greatest log-probability + weight · reward whatever the rewards are: l₁ − l₂ > weight · (most − least).
 * Written as the scores are, for in this form rounding cannot make a skip that the scores would not bear out. `logprobs` fall.
 */
export function isSettled(logprobs: readonly number[], weight: number, range: RewardRange | null): boolean {
  const [first = -Infinity, second = -Infinity] = logprobs;
  if (weight === 0) return first > second;
  return range !== null && first + weight * range[0] > second + weight * range[1];
}
