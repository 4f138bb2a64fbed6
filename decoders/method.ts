// What a decoding method is: a name, documented fields, and a function from checked values to an expression. One file
// per method in distributions/, one line in distributions/index.ts; spec.ts reads requests with it, `explain` shows it.
import type { Field } from './fields.js';
import type { Scores } from './expr.js';

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type ValuesOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

export interface MethodDefinition<F extends Fields> {
  readonly name: string;
  readonly summary: string;
  /** As the paper prints it, in the names of the fields. */
  readonly equation: string;
  readonly paper: string;
  readonly fields: F;
  build(values: ValuesOf<F>): Scores;
}

/** A method whose value types are forgotten: what the list holds. */
export type Method = MethodDefinition<Fields>;

export function defineMethod<const F extends Fields>(definition: MethodDefinition<F>): Method {
  return { ...definition, build: (values) => definition.build(values as ValuesOf<F>) };
}
