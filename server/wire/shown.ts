// How an offending value appears in an error message: as JSON, cut to a bearable length. The value may be megabytes, and deep: only the
// part that can be shown is serialised.

const maxDepth = 4;

function brief(value: unknown, limit: number, depth: number): unknown {
  if (typeof value === 'string') return wellFormed(value.slice(0, limit + 1));
  if (typeof value !== 'object' || value === null) return value;
  if (depth === maxDepth) return Array.isArray(value) ? ['...'] : { '...': '...' };
  if (Array.isArray(value)) return value.slice(0, limit).map((item) => brief(item, limit, depth + 1));
  const entries = Object.entries(value).slice(0, limit);
  return Object.fromEntries(entries.map(([key, item]) => [key.slice(0, limit), brief(item, limit, depth + 1)]));
}

export function shown(value: unknown, limit = 80): string {
  if (value === undefined) return 'nothing';
  // 1e400 in a body is Infinity, which JSON would write as null.
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(brief(value, limit, 0)) ?? typeof value;
  return text.length > limit ? `${text.slice(0, limit - 3)}...` : text;
}

/** Lone surrogates (a cut pair, or what a hostile client sent) become U+FFFD. */
export const wellFormed = (text: string): string => Buffer.from(text).toString();
