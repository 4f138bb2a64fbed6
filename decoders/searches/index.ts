// Every search. A new one is a file beside this and a line here.
import type { SearchPlan } from '../plan.js';
import type { Branch, Search } from '../search.js';
import type { SearchMethod } from '../search-method.js';
import { rain } from './rain.js';
import { args } from './args.js';
import { bestOfN } from './best-of-n.js';
import { blockwise } from './blockwise.js';
import { classified } from './classified.js';
import { dpaReward } from './dpa-reward.js';
import { rejection } from './rejection.js';
import { transferQ } from './transfer-q.js';

export const searches: readonly SearchMethod[] = [
  bestOfN,
  blockwise,
  args,
  transferQ,
  rain,
  rejection,
  dpaReward,
  classified,
];

/** The plan's search on a trunk. */
export function runSearch({ method, values }: Pick<SearchPlan, 'method' | 'values'>, trunk: Branch): Search {
  const search = searches.find(({ name }) => name === method);
  if (!search) throw new Error(`no search ${method}`);
  return search.run(trunk, values);
}
