// May one decoding take another's place in the middle of an answer? Only scalars of its formulas may differ: they are bound per row and per
// step, while members have their rows, prompts their keys and values, and a search its state. Pure; called by the catalog.
import { structureKey, viewKey, viewsOf } from './expr.js';
import type { Scores } from './expr.js';
import type { Json, JsonObject } from './fields.js';
import type { SearchPlan } from './plan.js';
import { print, printView } from './print.js';
import type { Speculation } from './speculation-spec.js';

export interface Changeable {
  readonly distribution: Scores;
  readonly search: SearchPlan | null;
  readonly speculation: Speculation | null;
}

/** What stands in the way; null where only scalars differ. */
export function whatDiffers(before: Changeable, after: Changeable): string | null {
  if (!isEqual(before.speculation, after.speculation)) return 'how drafts are made is fixed when it starts';
  const [old, own] = [before.search, after.search];
  if (old?.method !== own?.method)
    return `the search is fixed when it starts; this is ${own?.method ?? 'none'} instead of ${old?.method ?? 'none'}`;
  if (old && own) {
    const differs = (['values', 'sources', 'branches', 'scored', 'budget'] as const).some(
      (key) => !isEqual(old[key], own[key]),
    );
    if (differs) return `of the search ${old.method} only weights inside its distributions can be changed`;
  }
  const [olds, news] = [distributionsOf(before), distributionsOf(after)];
  if (olds.length !== news.length) return 'the search would draw on other distributions';
  return olds.map((one, d) => formulaDiffers(one, news[d] ?? one)).find((reason) => reason !== null) ?? null;
}

/** Of two specs as they are written, nested ones included: the first place with two methods; null where there is none. */
export function methodThatDiffers(before: Json, after: Json): string | null {
  if (!isObject(before) || !isObject(after)) return null;
  const [own, other] = [before['method'], after['method']];
  if (typeof own === 'string' && typeof other === 'string' && own !== other)
    return `the method is fixed when it starts; this is ${other} instead of ${own}`;
  return (
    Object.entries(before)
      .map(([key, value]) => methodThatDiffers(value, after[key] ?? null))
      .find((reason) => reason !== null) ?? null
  );
}

export function distributionsOf({ distribution, search }: Changeable): readonly Scores[] {
  return search?.distributions ?? [distribution];
}

function formulaDiffers(before: Scores, after: Scores): string | null {
  const known = new Map(viewsOf(before).map((view) => [viewKey(view), view]));
  const added = viewsOf(after).filter((view) => !known.has(viewKey(view)));
  const models = new Set([...known.values()].map(({ model }) => model));
  const stranger = added.find(({ model }) => !models.has(model));
  if (stranger)
    return `it does not run ${stranger.model}: members are fixed when it starts, those of weight 0 left out`;
  const [reread] = added;
  if (reread) return `${reread.model} would read another prompt, and prompts are fixed when it starts`;
  if (
    structureKey(before) === structureKey(after) &&
    viewsOf(before).every((view, v) => isSame(view, viewsOf(after)[v]))
  )
    return null;
  const gone = [...known.values()].find((view) => !viewsOf(after).some((other) => isSame(view, other)));
  if (gone) return `${printView(gone)} would be left out, and members are fixed when it starts`;
  return `the formula would be ${print(after)} instead of ${print(before)}, and only its numbers can change`;
}

const isSame = (a: Parameters<typeof viewKey>[0], b: Parameters<typeof viewKey>[0] | undefined): boolean =>
  b !== undefined && viewKey(a) === viewKey(b);

/** Of plain data. */
function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return (
    left.length === right.length &&
    left.every(([key, value]) => Object.hasOwn(b, key) && isEqual(value, (b as Readonly<Record<string, unknown>>)[key]))
  );
}

/** JSON Merge Patch (RFC 7396): objects are merged, null removes, everything else replaces. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
