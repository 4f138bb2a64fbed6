// Scoring endpoints that the operator configured: one POST per answer, {"messages", "answer"} out, {"score": number} or {"scores": [numbers]}
// back. Runs beside the engine's ticks and never blocks them. Knows no search.
import type { AskEndpoint } from '../engine/reads.js';

export interface EndpointSettings {
  readonly url: string;
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Longer replies are no score. */
const MAX_REPLY_BYTES = 64 * 1024;

export function askEndpoints(endpoints: Readonly<Record<string, EndpointSettings>>): AskEndpoint {
  return async (name, body, signal) => {
    const endpoint = endpoints[name];
    if (!endpoint) throw new Error('there is no such endpoint');
    const { url, timeoutMs, headers } = endpoint;
    const reply = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    if (!reply.ok) throw new Error(`it answered with status ${reply.status}`);
    return numbersIn(JSON.parse(await limited(reply)));
  };
}

async function limited(reply: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  if (reply.body)
    for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > MAX_REPLY_BYTES) throw new Error(`its reply is longer than ${MAX_REPLY_BYTES} bytes`);
      chunks.push(chunk);
    }
  return Buffer.concat(chunks).toString('utf8');
}

function numbersIn(reply: unknown): readonly number[] {
  const { score, scores } = (typeof reply === 'object' && reply !== null ? reply : {}) as {
    readonly score?: unknown;
    readonly scores?: unknown;
  };
  const numbers: unknown = scores ?? [score];
  if (Array.isArray(numbers) && numbers.length > 0 && numbers.every((number) => Number.isFinite(number)))
    return numbers as number[];
  throw new Error('its reply holds neither {"score": number} nor {"scores": [numbers]}');
}
