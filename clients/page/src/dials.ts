// The numbers of a spec that a hand may turn: found by walking the effective spec along the descriptions of its methods. Pure.
import type { MethodDescription } from '@trimtab/client';

interface Place {
  /** Keys and indices from the spec's root. */
  readonly path: readonly (string | number)[];
  readonly label: string;
  readonly help: string;
}

export interface Slider extends Place {
  readonly kind: 'slider';
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly step: number;
}

/** A direction over two objectives. */
export interface Compass extends Place {
  readonly kind: 'compass';
  readonly axes: readonly [string, string];
  readonly degrees: number;
}

export type Dial = Slider | Compass;

type Spec = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Spec =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function dialsOf(spec: unknown, methods: readonly MethodDescription[]): Dial[] {
  return isObject(spec) ? within(spec, [], methods) : [];
}

function within(spec: Spec, path: Place['path'], methods: readonly MethodDescription[]): Dial[] {
  const own = methods.filter(({ name }) => name === spec['method']).flatMap(({ parameters }) => parameters);
  return Object.entries(spec).flatMap(([key, value]): Dial[] => {
    const parameter = own.find(({ name }) => name === key);
    const place: Place = { path: [...path, key], label: [...path, key].join('.'), help: parameter?.help ?? '' };
    if (key === 'direction') {
      const compass = compassOf(place, value, spec);
      return compass ? [compass] : [];
    }
    if (typeof value === 'number' && parameter) return [sliderOf(place, value, parameter)];
    if (Array.isArray(value))
      return value.flatMap((item: unknown, index) => member(item, [...place.path, index], methods));
    return isObject(value) ? within(value, place.path, methods) : [];
  });
}

/** One of several that are weighed against each other. */
function member(item: unknown, path: Place['path'], methods: readonly MethodDescription[]): Dial[] {
  if (!isObject(item)) return [];
  const { model, weight } = item;
  const name = typeof model === 'string' ? model : `${path.at(-1)}`;
  const own: Dial[] =
    typeof weight === 'number' && item['method'] === undefined
      ? [
          {
            kind: 'slider',
            path: [...path, 'weight'],
            label: `weight of ${name}`,
            help: 'Its share beside the others.',
            value: weight,
            least: 0,
            most: Math.max(1, weight),
            step: 0.01,
          },
        ]
      : [];
  return [...own, ...within(item, path, methods)];
}

const RANGE = /^([−-]?[\d.]+) to ([−-]?[\d.]+)/;
/** A range far beyond the value is no use to a hand: the slider ends here, a number can be typed. */
const FAR = 4;

function sliderOf(place: Place, value: number, { type, range }: MethodDescription['parameters'][number]): Slider {
  const [, low = '0', high = `${Math.max(2, 2 * value)}`] = RANGE.exec(range) ?? [];
  const [least, legal] = [low, high].map((text) => Number(text.replace('−', '-'))) as [number, number];
  const near = Math.max(2, 2 * Math.abs(value));
  const most = legal > FAR * near ? near : legal;
  const step = type === 'whole number' ? 1 : most - least > 10 ? 0.1 : 0.01;
  return { ...place, kind: 'slider', value, least, most: type === 'whole number' ? Math.ceil(most) : most, step };
}

function compassOf(place: Place, direction: unknown, spec: Spec): Compass | null {
  const named = isObject(direction) ? Object.entries(direction) : null;
  const axes = named ? named.map(([axis]) => axis) : axesOf(spec);
  if (axes.length !== 2) return null;
  const [first = '', second = ''] = axes;
  const parts = named ? named.map(([, part]) => Number(part)) : Array.isArray(direction) ? direction.map(Number) : null;
  const degrees = parts ? (Math.atan2(parts[1] ?? 0, parts[0] ?? 0) * 180) / Math.PI : Number(direction);
  return Number.isFinite(degrees) ? { ...place, kind: 'compass', axes: [first, second], degrees } : null;
}

function axesOf({ axes, experts }: Spec): string[] {
  if (Array.isArray(axes)) return axes.map(String);
  return isObject(experts) ? Object.keys(experts) : [];
}

/** A JSON merge patch that gives one place another value; lists are given whole, for a patch cannot reach into them. */
export function patchOf(spec: unknown, [key, ...rest]: Place['path'], value: unknown): unknown {
  if (key === undefined) return value;
  if (Array.isArray(spec)) {
    const list: readonly unknown[] = spec;
    return list.map((item, index) => (index === key ? merged(item, patchOf(item, rest, value)) : item));
  }
  return { [key]: patchOf(isObject(spec) ? spec[key] : undefined, rest, value) };
}

/** RFC 7396. */
export function merged(spec: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const changed: Record<string, unknown> = isObject(spec) ? { ...spec } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete changed[key];
    else changed[key] = merged(changed[key], value);
  }
  return changed;
}
