// Spreads what comes in bursts over turns of the event loop. Hundreds of requests that arrive in one poll would otherwise be read, checked
// and submitted before anything else is heard, a tenth of a second long. The loop is the process's own, so the count is too.

/** About 0.3 ms each. */
const perTurn = 16;

let taken = 0;
const waiting: (() => void)[] = [];

function begin(): void {
  const next = waiting.splice(0, perTurn);
  taken = next.length;
  for (const go of next) go();
  if (taken > 0) setImmediate(begin);
}

/** Resolves in this turn of the event loop or in one soon after, in the order of the calls. */
export async function turn(): Promise<void> {
  if (taken === 0) setImmediate(begin);
  if (taken < perTurn) taken++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
}
