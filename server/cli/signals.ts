// What signals do to a server: the first SIGTERM or SIGINT drains it within the deadline, a second one ends the process at once, and so does
// the deadline. Knows the process, not the server. Called by serve.ts before anything is started.
import closeWithGrace from 'close-with-grace';
import type { Output } from './terminal.js';

type Signal = NodeJS.Signals;

export interface SignalReader {
  /** `error` where a bug ends the process instead. */
  readonly drain: (signal: Signal | null, error: Error | null) => Promise<void>;
  /** After this the process is ended (ms). */
  readonly deadlineMs: number;
  readonly output: Output;
}

/** Returns what takes the handlers away again. */
export function onSignals({ drain, deadlineMs, output }: SignalReader): () => void {
  const grace = closeWithGrace(
    {
      delay: deadlineMs,
      logger: false,
      skip: ['SIGHUP'],
      onSecondSignal: (signal) => {
        output.write(`${String(signal)} again: ending at once\n`);
        end(signal);
      },
      onTimeout: () => {
        output.write(`not finished within ${deadlineMs / 1000} s: ending at once\n`);
        end('SIGKILL');
      },
    },
    async ({ err, signal }) => drain((signal as Signal | undefined) ?? null, err ?? null),
  );
  return () => grace.uninstall();
}

/** SIGHUP, which Windows has for closed windows only. */
export function onHangup(act: () => Promise<void>): void {
  process.on('SIGHUP', () => void act().catch(() => undefined));
}

/**
 * By the signal itself, not by exit(): that ends the threads first, and one that is inside the runtime answers it with an abort.
 */
function end(signal: Signal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
