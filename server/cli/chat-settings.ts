// What a chat's next answer will be asked with, and the numbers of a spec that may be turned by name. Pure.
export type Spec = Readonly<Record<string, unknown>>;

export interface ChatSettings {
  readonly model: string;
  /** Parameters of the deployment, as a merge patch of its effective spec. */
  readonly patch: Spec;
  readonly seed: number | null;
  readonly temperature: number | null;
  readonly system: string | null;
}

const isSpec = (value: unknown): value is Spec => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every number of a spec by its dotted path, those of the outermost method first. */
export function numbersOf(spec: unknown): readonly { readonly path: string; readonly value: number }[] {
  const found: { path: string; value: number }[] = [];
  let level: readonly (readonly [string, unknown])[] = [['', spec]];
  while (level.length > 0) {
    const next: (readonly [string, unknown])[] = [];
    for (const [path, value] of level) {
      if (typeof value === 'number') found.push({ path, value });
      if (isSpec(value))
        for (const [key, inner] of Object.entries(value)) next.push([path === '' ? key : `${path}.${key}`, inner]);
    }
    level = next;
  }
  return found;
}

/** The number that a name means: its whole path, or the outermost that ends in it. */
export function findNumber(spec: unknown, name: string): { readonly path: string; readonly value: number } | undefined {
  const numbers = numbersOf(spec);
  return numbers.find(({ path }) => path === name) ?? numbers.find(({ path }) => path.endsWith(`.${name}`));
}

/** {"inner": {"weight": 2}} for "inner.weight". */
export function patchOf(path: string, value: number): Spec {
  return path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Spec;
}

/** The later of two patches wins. */
export function mergePatches(first: Spec, second: Spec): Spec {
  const merged: Record<string, unknown> = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const before = merged[key];
    merged[key] = isSpec(before) && isSpec(value) ? mergePatches(before, value) : value;
  }
  return merged;
}
