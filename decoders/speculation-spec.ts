// The root key `speculation` of a spec: who drafts, and how many tokens at most. Read by spec.ts; the engine decides at run time how long a
// block is worth being, and whether there is one at all.
import { list, nearestName, SpecError } from './fields.js';

export interface Speculation {
  /** A model's name, or "lookup": what followed the last tokens earlier in prompt and answer. */
  readonly draft: string;
  /** Longest block, in tokens. */
  readonly tokens: number;
}

export const LOOKUP = 'lookup';
/** The model that drafts; null where drafts are looked up, or where nobody drafts. */
export function draftModelOf(speculation: Pick<Speculation, 'draft'> | null | undefined): string | null {
  return !speculation || speculation.draft === LOOKUP ? null : speculation.draft;
}

const MAX_TOKENS = 16;
const USUAL_TOKENS = 4;

export function readSpeculation(value: unknown, path: string, models: readonly string[]): Speculation {
  const example = `Use {"draft": "model", "tokens": ${USUAL_TOKENS}}; the draft may be "${LOOKUP}".`;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SpecError(path, 'wrong type', value, example);
  const { draft, tokens = USUAL_TOKENS, ...others }: { draft?: unknown; tokens?: unknown } = value;
  const [extra] = Object.keys(others);
  const keys = ['draft', 'tokens'];
  if (extra !== undefined)
    throw new SpecError(`${path}.${extra}`, 'unknown key', extra, example, {
      known: keys,
      nearest: nearestName(extra, keys),
    });
  const known = [...models, LOOKUP];
  if (draft === undefined) throw new SpecError(`${path}.draft`, 'missing', undefined, example, { known });
  if (typeof draft !== 'string')
    throw new SpecError(`${path}.draft`, 'wrong type', draft, `Use one of ${list(known)}.`, { known });
  if (!known.includes(draft))
    throw new SpecError(`${path}.draft`, 'unknown name', draft, `Use one of ${list(known)}.`, {
      known,
      nearest: nearestName(draft, known),
    });
  if (typeof tokens !== 'number' || !Number.isInteger(tokens) || tokens < 1 || tokens > MAX_TOKENS)
    throw new SpecError(`${path}.tokens`, 'out of range', tokens, `Use a whole number from 1 to ${MAX_TOKENS}.`);
  return { draft, tokens };
}

/** The model that drafts; null where drafts are looked up, or there are none. */
export function draftModel(speculation: Speculation | null): string | null {
  return speculation === null || speculation.draft === LOOKUP ? null : speculation.draft;
}
