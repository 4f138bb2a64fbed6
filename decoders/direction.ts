// A preference direction as a request writes it: degrees in the plane of two objectives, a list of components in the order of the axes, or
// components by name. Read where the spec is read; turned into a unit vector where the axes are known.
import { list, nearestName, readNumber, SpecError } from './fields.js';
import type { Field } from './fields.js';
import { Conflict } from './method.js';

export type Direction =
  | { readonly kind: 'degrees'; readonly degrees: number }
  | { readonly kind: 'vector'; readonly components: readonly number[] }
  | { readonly kind: 'named'; readonly components: ReadonlyMap<string, number> };

const MAX_AXES = 16;
const MAX_COMPONENT = 1e6;

export function direction(help: string): Field<Direction> {
  return {
    type: 'number of degrees, list of numbers, or object of numbers by axis',
    help,
    range: `−180 to 180 degrees (0 is the first of two axes, 90 the second), or up to ${MAX_AXES} components, not all 0`,
    fallback: undefined,
    read: (value, path) => readDirection(value, path),
    show: (value) => {
      switch (value.kind) {
        case 'degrees':
          return value.degrees;
        case 'vector':
          return value.components;
        case 'named':
          return Object.fromEntries(value.components);
        default:
          return value satisfies never;
      }
    },
  };
}

/** Of length 1, one component per axis. Axes that a named direction leaves out are 0. Throws Conflict. */
export function unitVector(direction: Direction, axes: readonly string[]): number[] {
  const vector = onAxes(direction, axes);
  const length = Math.hypot(...vector);
  if (length === 0)
    throw new Conflict('direction', vector, 'It has no length. Give at least one component that is not 0.');
  return vector.map((component) => component / length);
}

function onAxes(direction: Direction, axes: readonly string[]): number[] {
  switch (direction.kind) {
    case 'degrees': {
      if (axes.length !== 2)
        throw new Conflict(
          'direction',
          direction.degrees,
          `Degrees need two axes; here are ${axes.length}: ${list(axes)}.`,
        );
      const radians = (direction.degrees / 180) * Math.PI;
      // At right angles to an axis nothing of it is left: a rest from rounding would cost its expert's forwards.
      return [Math.cos(radians), Math.sin(radians)].map((component) => (Math.abs(component) < 1e-15 ? 0 : component));
    }
    case 'vector':
      if (direction.components.length !== axes.length)
        throw new Conflict('direction', direction.components, `Give ${axes.length} components, for ${list(axes)}.`);
      return [...direction.components];
    case 'named': {
      const unknown = [...direction.components.keys()].find((axis) => !axes.includes(axis));
      if (unknown !== undefined) {
        const nearest = nearestName(unknown, axes);
        const hint = nearest === null ? '' : `Did you mean "${nearest}"? `;
        throw new Conflict(`direction.${unknown}`, unknown, `${hint}The axes are ${list(axes)}.`);
      }
      return axes.map((axis) => direction.components.get(axis) ?? 0);
    }
    default:
      return direction satisfies never;
  }
}

function readDirection(value: unknown, path: string): Direction {
  if (typeof value === 'number') return { kind: 'degrees', degrees: readNumber(value, path, -180, 180) };
  const component = (given: unknown, at: string): number => readNumber(given, at, -MAX_COMPONENT, MAX_COMPONENT);
  if (typeof value !== 'object' || value === null)
    throw new SpecError(path, 'wrong type', value, 'Use degrees, a list of numbers, or an object of numbers by axis.');
  const count = Object.keys(value).length;
  if (count === 0 || count > MAX_AXES)
    throw new SpecError(path, 'out of range', value, `Give 1 to ${MAX_AXES} components.`);
  if (Array.isArray(value))
    return { kind: 'vector', components: value.map((given: unknown, index) => component(given, `${path}[${index}]`)) };
  const components = new Map(Object.entries(value).map(([axis, given]) => [axis, component(given, `${path}.${axis}`)]));
  return { kind: 'named', components };
}
