// One streaming request to an OpenAI-compatible server, on node:http with kept connections (cheaper than fetch on a machine that the
// server shares), recorded as a Trace. Knows the wire format, not what is asked. Used by load.ts and the benchmarks.
import http from 'node:http';
import { createParser } from 'eventsource-parser';
import { reasonOf } from '../server/reason.js';
import type { Trace } from './measure.js';

export interface Target {
  readonly url: URL;
  readonly agent: http.Agent;
  readonly apiKey: string | null;
  readonly timeoutMs: number;
}

export const targetAt = (url: string, apiKey: string | null = null, timeoutMs = 600_000): Target => ({
  url: new URL(url),
  agent: new http.Agent({ keepAlive: true, maxSockets: 4096 }),
  apiKey,
  timeoutMs,
});

/** What of a chunk's JSON the measurement reads; either endpoint. */
interface Chunk {
  readonly error?: { readonly message?: string };
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly decoding?: { readonly forwards?: Readonly<Record<string, number>> };
  readonly choices?: readonly {
    readonly text?: string;
    readonly delta?: { readonly content?: string };
    readonly token_ids?: readonly number[] | null;
    readonly finish_reason?: string | null;
  }[];
}

/** Never rejects: a failed request is a trace with an error. `body` must ask for a stream with usage. */
export async function traceRequest(target: Target, path: string, body: object, dueMs: number): Promise<Trace> {
  const sentMs = performance.now();
  const arrivalsMs: number[] = [];
  const tokens: number[] = [];
  let usage: Chunk['usage'] = null;
  let finishReason: string | null = null;
  let forwards: Readonly<Record<string, number>> | undefined;
  let error: string | null = null;
  const onChunk = (chunk: Chunk, now: number) => {
    if (chunk.error !== undefined) error = chunk.error.message ?? 'error event';
    usage = chunk.usage ?? usage;
    forwards = chunk.decoding?.forwards ?? forwards;
    for (const choice of chunk.choices ?? []) {
      finishReason = choice.finish_reason ?? finishReason;
      if (!choice.text && !choice.delta?.content && !choice.token_ids?.length) continue;
      const count = choice.token_ids?.length ?? 1;
      const last = arrivalsMs.length - 1;
      if (arrivalsMs[last] === now) tokens[last] = (tokens[last] ?? 0) + count;
      else {
        arrivalsMs.push(now);
        tokens.push(count);
      }
    }
  };
  try {
    await streamJson(target, path, body, onChunk);
  } catch (cause) {
    error = reasonOf(cause);
  }
  const known = usage as Chunk['usage'];
  if (error === null && known === null) error = 'the stream ended without usage';
  return {
    dueMs,
    sentMs,
    arrivalsMs,
    tokens: spread(tokens, known?.completion_tokens ?? 0),
    endMs: performance.now(),
    promptTokens: known?.prompt_tokens ?? 0,
    finishReason,
    error,
    ...(forwards === undefined ? {} : { forwards }),
  };
}

/** Where chunks do not say how many tokens they carry, `usage` does: the difference is spread over all of them. */
function spread(counts: number[], total: number): number[] {
  const seen = counts.reduce((a, b) => a + b, 0);
  return seen === 0 || seen === total ? counts : counts.map((count) => (count * total) / seen);
}

async function streamJson(
  target: Target,
  path: string,
  body: object,
  onChunk: (chunk: Chunk, now: number) => void,
): Promise<void> {
  const reply = await post(target, path, JSON.stringify(body));
  reply.setEncoding('utf8');
  if (reply.statusCode !== 200) {
    let text = '';
    for await (const part of reply) text += part;
    throw new Error(`HTTP ${reply.statusCode}: ${text.slice(0, 300)}`);
  }
  let now = 0;
  let done = false;
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === '[DONE]') done = true;
      else onChunk(JSON.parse(data) as Chunk, now);
    },
  });
  for await (const part of reply) {
    now = performance.now();
    parser.feed(part as string);
  }
  if (!done) throw new Error('the stream ended without [DONE]');
}

function post(target: Target, path: string, body: string): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      new URL(path, target.url),
      {
        method: 'POST',
        agent: target.agent,
        timeout: target.timeoutMs,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...(target.apiKey === null ? {} : { authorization: `Bearer ${target.apiKey}` }),
        },
      },
      resolve,
    );
    request.setNoDelay(true);
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', reject);
    request.end(body);
  });
}
