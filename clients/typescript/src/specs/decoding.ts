// The field `decoding` of a request: a distribution or a search, or the dials of the deployment that `model` names.
import type { Json } from '../json.js';
import type { DistributionSpec, View } from './distributions.js';
import type { SearchSpec } from './searches.js';
import type { Speculation } from './spec.js';

/** Parameters of the deployment that the request names in `model`: `{ weight: 0.3 }`. */
export interface Dials {
  readonly method?: never;
  readonly [parameter: string]: Json | undefined;
}

/** A distribution that says how drafts are made: the root of a tree, and no member of one. */
export type Speculating<Spec> = Spec extends unknown
  ? Omit<Spec, 'speculation'> & { readonly speculation: Speculation }
  : never;

/** A whole tree. */
export type Spec = DistributionSpec | View | Speculating<DistributionSpec> | SearchSpec;

export type Decoding = Spec | Dials;

/** Lets a small model, or a look-up in the text, draft tokens of the distribution. The answer has the same law. */
export function speculate<S extends DistributionSpec>(spec: S, speculation: Speculation | 'lookup'): Speculating<S> {
  const drafts: Speculation = speculation === 'lookup' ? { draft: 'lookup' } : speculation;
  return Object.freeze({ ...spec, speculation: drafts });
}
