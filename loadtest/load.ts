// The two shapes of load on a running server. Closed loop: N clients, each sending its next request when the last has ended (saturation
// throughput). Open loop: requests are due at random times whether or not earlier ones have ended (latency as users feel it).
import { gammaArrivalsMs, promptIds, type PromptShape } from './arrivals.js';
import type { Trace } from './measure.js';
import { traceRequest, type Target } from './stream.js';

export interface Work {
  readonly model: string;
  readonly prompt: PromptShape;
  readonly maxTokens: number;
  readonly seed: number;
  /** Further fields of the request body, e.g. { decoding: … }. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/** Token-id prompts, greedy, end-of-sequence ignored: every server computes the same number of tokens. */
export const requestBody = (work: Work, request: number): object => ({
  model: work.model,
  prompt: promptIds(work.prompt, work.seed, request),
  max_tokens: work.maxTokens,
  temperature: 0,
  ignore_eos: true,
  stream: true,
  stream_options: { include_usage: true },
  ...work.extra,
});

const send = (target: Target, work: Work, request: number, dueMs: number): Promise<Trace> =>
  traceRequest(target, '/v1/completions', requestBody(work, request), dueMs);

export async function closedLoop(
  target: Target,
  work: Work,
  streams: number,
  requestsPerStream: number,
): Promise<Trace[]> {
  const traces = await Promise.all(
    Array.from({ length: streams }, async (_, stream) => {
      const mine: Trace[] = [];
      for (let i = 0; i < requestsPerStream; i++) {
        mine.push(await send(target, work, stream * requestsPerStream + i, performance.now()));
      }
      return mine;
    }),
  );
  return traces.flat();
}

export async function openLoop(
  target: Target,
  work: Work,
  requestsPerSecond: number,
  requests: number,
  burstiness = 1,
): Promise<Trace[]> {
  const begin = performance.now();
  return Promise.all(
    gammaArrivalsMs(requestsPerSecond, burstiness, requests, work.seed).map(async (dueMs, request) => {
      await new Promise((resolve) => setTimeout(resolve, dueMs - (performance.now() - begin)));
      return send(target, work, request, begin + dueMs);
    }),
  );
}
