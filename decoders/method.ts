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
  /** Throws `Conflict` where fields that are right alone do not go together. */
  build(values: ValuesOf<F>, context: BuildContext): Scores;
}

/** What a method may know beyond its fields. */
export interface BuildContext {
  readonly allowNegativeWeights: boolean;
  /** How a model was trained to be told a direction, if it was. */
  directionCard(model: string): DirectionCard | undefined;
}

/** From a model's configuration: see distributions/dpa.ts. */
export interface DirectionCard {
  /** The system turn, with `{axis}` where an axis' whole number stands. */
  readonly template: string;
  readonly axes: readonly string[];
}

/** A field that the other fields rule out. spec.ts adds the path. */
export class Conflict extends Error {
  override readonly name = 'Conflict';
  readonly field: string;
  readonly value: unknown;

  constructor(field: string, value: unknown, remedy: string) {
    super(remedy);
    this.field = field;
    this.value = value;
  }
}

/** A method whose value types are forgotten: what the list holds. */
export type Method = MethodDefinition<Fields>;

export function defineMethod<const F extends Fields>(definition: MethodDefinition<F>): Method {
  return { ...definition, build: (values, context) => definition.build(values as ValuesOf<F>, context) };
}
