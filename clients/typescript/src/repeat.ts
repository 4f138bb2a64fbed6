// The loop around whatever may be tried again: retry.ts says whether and when.
import { pause } from './lifeline.js';
import { retryDelayMs } from './retry.js';

/** Resolves with the first success, or throws the last failure. The signal ends a wait. */
export async function repeated<T>(
  maxRetries: number,
  signal: AbortSignal | undefined,
  send: () => Promise<T>,
): Promise<T> {
  for (let failed = 0; ; failed++) {
    try {
      return await send();
    } catch (error) {
      const waitMs = failed < maxRetries ? retryDelayMs(error, failed) : null;
      if (waitMs === null) throw error;
      await pause(waitMs, signal);
    }
  }
}
