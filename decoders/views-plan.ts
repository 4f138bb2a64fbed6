// Which views a request reads, in the order of its prompts, and which of them each of its distributions and its draft reads. Pure; the routes
// make prompts by it, the engine rows.
import { DEFAULT_PROMPT, viewKey, viewsOf } from './expr.js';
import type { Scores, View } from './expr.js';
import type { SearchPlan } from './plan.js';
import { draftModel } from './speculation-spec.js';
import type { Speculation } from './speculation-spec.js';

export interface ViewsPlan {
  /** Those of the first distribution come first, then a draft that is no member, then the other distributions' further ones. */
  readonly views: readonly View[];
  /** Per distribution: numbers of its views in the order of `viewsOf`. */
  readonly byDistribution: readonly (readonly number[])[];
  /** The view of a draft that is no member. */
  readonly draft: number | null;
}

export function planViews(
  distribution: Scores,
  search: Pick<SearchPlan, 'distributions'> | null,
  speculation: Speculation | null,
): ViewsPlan {
  const [first = [], ...others] = (search?.distributions ?? [distribution]).map(viewsOf);
  const views: View[] = [];
  const numbers = new Map<string, number>();
  const numberOf = (view: View): number => {
    const key = viewKey(view);
    const number = numbers.get(key) ?? views.push(view) - 1;
    numbers.set(key, number);
    return number;
  };
  const own = first.map(numberOf);
  const drafting = draftModel(speculation);
  const isExtra = drafting !== null && first.every(({ model }) => model !== drafting);
  // A view of its own, also where another distribution reads the same: the draft's may be ahead.
  const draft = isExtra ? views.push({ model: drafting, prompt: DEFAULT_PROMPT }) - 1 : null;
  return { views, byDistribution: [own, ...others.map((read) => read.map(numberOf))], draft };
}

/** Rows of each view that one choice may need at once: the trunk has all, a fork those of its distribution. */
export function rowsPerView(
  { views, byDistribution, draft }: ViewsPlan,
  search: Pick<SearchPlan, 'branches'> | null,
): number[] {
  const rows = views.map(() => 1);
  byDistribution.forEach((read, d) => {
    const trunk = d === 0 ? 1 : 0;
    const forks = (search?.branches[d] ?? trunk) - trunk;
    for (const view of d === 0 && draft !== null ? [...read, draft] : read) rows[view] = (rows[view] ?? 0) + forks;
  });
  return rows;
}
