// Which views a request reads, in the order of its prompts, and which of them each of its distributions and its draft reads. Pure.
import { viewKey, viewsOf, type View } from '../../decoders/expr.js';
import type { SearchPlan } from '../../decoders/plan.js';
import { LOOKUP } from '../../decoders/speculation-spec.js';
import type { DecodeRequest } from '../wire/decode.js';

export interface ViewsPlan {
  /** Models by number of the view. Those of the first distribution come first, then a draft that is no member, then the others. */
  readonly models: readonly string[];
  /** Per distribution: numbers of its views in the order of `viewsOf`. */
  readonly byDistribution: readonly (readonly number[])[];
  /** The view of a draft that is no member. */
  readonly draft: number | null;
}

export function planViews({ distribution, search, speculation }: DecodeRequest): ViewsPlan {
  const [first = [], ...others] = (search?.plan.distributions ?? [distribution]).map(viewsOf);
  const numbers = new Map<string, number>();
  const models: string[] = [];
  const numberOf = (view: View): number => {
    const key = viewKey(view);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, models.length);
    return models.push(view.model) - 1;
  };
  const own = first.map(numberOf);
  const drafting = speculation?.draft ?? LOOKUP;
  const isExtra = drafting !== LOOKUP && first.every(({ model }) => model !== drafting);
  const draft = isExtra ? models.push(drafting) - 1 : null;
  return { models, byDistribution: [own, ...others.map((views) => views.map(numberOf))], draft };
}

/** Rows of each view that one choice may need at once: the trunk has all, a fork those of its distribution. */
export function rowsPerView({ models, byDistribution, draft }: ViewsPlan, plan: SearchPlan | null): number[] {
  const rows = models.map(() => 1);
  byDistribution.forEach((views, d) => {
    const forks = (plan?.branches[d] ?? (d === 0 ? 1 : 0)) - (d === 0 ? 1 : 0);
    const read = d === 0 && draft !== null ? [...views, draft] : views;
    for (const view of read) rows[view] = (rows[view] ?? 0) + forks;
  });
  return rows;
}
