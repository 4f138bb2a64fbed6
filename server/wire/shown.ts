// How an offending value appears in an error message: as JSON, cut to a bearable length.

export function shown(value: unknown, limit = 80): string {
  if (value === undefined) return 'nothing';
  // Only the part that can be shown is serialised: the value may be a body of megabytes.
  const text =
    typeof value === 'string'
      ? JSON.stringify(wellFormed(value.slice(0, limit + 1)))
      : Array.isArray(value)
        ? JSON.stringify(value.slice(0, limit))
        : (JSON.stringify(value) ?? typeof value);
  return text.length > limit ? `${text.slice(0, limit - 3)}...` : text;
}

/** Lone surrogates (a cut pair, or what a hostile client sent) become U+FFFD. */
export const wellFormed = (text: string): string => Buffer.from(text).toString();
