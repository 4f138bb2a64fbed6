// What pictures of the harbour show: kinds of things, their colours, the places where they stand, and what usually goes together.
// Data only; scene.ts draws from it, render.ts paints it, words.ts names it.

export const COLOURS = ['red', 'green', 'blue', 'yellow', 'white', 'black'] as const;
export type Colour = (typeof COLOURS)[number];

/** Kinds that go together in the harbour, the more frequent pairs first. */
export const PAIRS = [
  ['boat', 'net'],
  ['barrel', 'crate'],
  ['lamp', 'bell'],
  ['crab', 'fish'],
  ['flag', 'house'],
] as const;
/** How often a picture of the usual law starts from a pair. */
export const PAIR_WEIGHTS = [0.3, 0.25, 0.2, 0.15, 0.1] as const;
/** Kinds that go with nothing. */
export const LONERS = ['moon', 'cart'] as const;

export type Kind = (typeof PAIRS)[number][number] | (typeof LONERS)[number];
export const KINDS: readonly Kind[] = [...PAIRS.flat(), ...LONERS];

/** What everybody expects in a picture, whatever it shows: the most frequent kinds. */
export const POPULAR: readonly Kind[] = ['boat', 'net', 'barrel', 'crate'];

/** The kind that usually stands beside this one. */
export function companyOf(kind: Kind): Kind | null {
  for (const [one, other] of PAIRS) {
    if (kind === one) return other;
    if (kind === other) return one;
  }
  return null;
}

/** The nine places of a picture, row by row; a thing fills one. */
// prettier-ignore
export const PLACES = [
  'at the top left', 'at the top', 'at the top right',
  'on the left', 'in the middle', 'on the right',
  'below on the left', 'below', 'below on the right',
] as const;

export interface Group {
  readonly kind: Kind;
  readonly colour: Colour;
  /** One place per thing of the group, ascending. */
  readonly places: readonly number[];
}

export interface Scene {
  readonly groups: readonly Group[];
  /** Seeds what says nothing: shades, shifts by a pixel, grain. */
  readonly look: number;
}

export const groupOf = (scene: Scene, kind: Kind): Group | null =>
  scene.groups.find((group) => group.kind === kind) ?? null;
