// What a rewrite is: one output of a node, said in operators that the device has. A group of them is a file beside this one and a line in
// index.ts.
import { type DType, GraphError, type Node, type Value } from '../../graph.js';
import * as ops from '../../ops.js';
import type { LegalValues } from '../legal-values.js';

export type Rewrite = (node: Node, legal: LegalValues) => Value;
export type Rewrites = Readonly<Record<string, Rewrite>>;

export function axisOf({ op, attributes }: Node): number {
  const { axis } = attributes;
  if (!axis || !('int' in axis)) throw new GraphError(`${op} has no axis.`);
  return axis.int;
}

/** Of an attribute that is 0 or 1, and 0 where it is left out. */
export function isSet({ attributes }: Node, name: string): boolean {
  const flag = attributes[name];
  return flag !== undefined && 'int' in flag && flag.int === 1;
}

/** Of what travelled as floats. */
export function back(value: Value, dtype: DType): Value {
  return dtype === 'bool' ? ops.Greater(value, 0) : ops.Cast(value, dtype);
}
