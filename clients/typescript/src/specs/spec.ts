// What every spec has beside its own fields, and how a builder is made of a spec's type. A spec is plain data in the words of the wire: what a
// builder returns can be printed, stored, sent by curl, and put into the configuration of a server.

/** The root of a tree may say how drafts are made; the answer has the same law. */
export interface Speculation {
  /** A model's name, or "lookup": what followed the last tokens earlier in prompt and answer. */
  readonly draft: string;
  /** Longest block, in tokens: 1 to 16, 4 when left out. */
  readonly tokens?: number;
}

/** What a search may use in all. When one of its figures is reached it winds up with what it has, and the reply says so. */
export interface Budget {
  readonly forwards?: number;
  readonly time_ms?: number;
  readonly tokens?: number;
}

/** A formula over models: may stand wherever a model's name may. */
export interface DistributionOf<Method extends string> {
  readonly method: Method;
  /** Drafts are of the whole distribution: see `speculate`. */
  readonly speculation?: never;
}

/** A search stands outermost: it decides over distributions and is none. */
export interface SearchOf<Method extends string> {
  readonly method: Method;
  readonly budget?: Budget;
  readonly speculation?: Speculation;
}

export interface ScorerOf<Kind extends string> {
  readonly kind: Kind;
}

/** The fields that a builder takes: all but those that it fills in. */
export type FieldsOf<Spec> =
  Spec extends DistributionOf<string>
    ? Omit<Spec, 'method' | 'speculation'>
    : Spec extends ScorerOf<string>
      ? Omit<Spec, 'kind'>
      : Omit<Spec, 'method'>;

export type Builder<Spec> = (fields: FieldsOf<Spec>) => Spec;

export function methodBuilder<Spec extends { readonly method: string }>(method: Spec['method']): Builder<Spec> {
  return (fields) => Object.freeze({ method, ...fields }) as unknown as Spec;
}

export function scorerBuilder<Spec extends { readonly kind: string }>(kind: Spec['kind']): Builder<Spec> {
  return (fields) => Object.freeze({ kind, ...fields }) as unknown as Spec;
}
