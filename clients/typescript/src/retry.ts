// Whether a failed request is worth sending again, and when. A decode changes nothing on the server, so sending it twice is safe as long as nothing
// of the first answer was handed on; what is not safe is to repeat what would fail again: that costs the same forwards each time.
import { ApiError, ConnectionError } from './errors.js';

/** The request was not taken, or an intermediary could not pass it on. */
const passing: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

const firstMs = 500;
const mostMs = 8_000;
/** Who is told to wait longer than this had better decide for himself. */
const mostAskedMs = 60_000;

/** Milliseconds until the next try; null: there should be none. `attempt` counts the tries that failed before this one. */
export function retryDelayMs(error: unknown, attempt: number, random: () => number = Math.random): number | null {
  const backOff = Math.min(mostMs, firstMs * 2 ** attempt) * (1 - 0.25 * random());
  if (error instanceof ConnectionError) return backOff;
  if (!(error instanceof ApiError)) return null;
  if (!(error.shouldRetry ?? passing.has(error.status ?? 0))) return null;
  if (error.retryAfterMs === null) return backOff;
  return error.retryAfterMs <= mostAskedMs ? error.retryAfterMs : null;
}

interface HeaderReader {
  get(name: string): string | null;
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date. */
export function retryAfterMs(headers: HeaderReader, nowMs: number): number | null {
  const milliseconds = headers.get('retry-after-ms');
  if (milliseconds !== null && /^\d+(\.\d+)?$/.test(milliseconds)) return Number(milliseconds);
  const after = headers.get('retry-after');
  if (after === null) return null;
  if (/^\d+(\.\d+)?$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}

export function shouldRetry(headers: HeaderReader): boolean | null {
  const said = headers.get('x-should-retry');
  return said === 'true' ? true : said === 'false' ? false : null;
}
