// A decode over HTTP → events: server-sent events as they come, or a whole reply. Owns the connection's end: whoever stops reading closes it.
import { Collector, type Answer } from './answer.js';
import { doneOf, eventsOf, startedOf } from './chunks.js';
import { apiError, errorDetails } from './api-error.js';
import { ConnectionError, ProtocolError, AbortedError } from './errors.js';
import type { DoneEvent, StreamEvent } from './events.js';
import { factsOf, parsed, reading, type Http, type ReplyFacts } from './http.js';
import type { RequestOptions } from './options.js';
import { bodyOf, type DecodeRequest } from './requests.js';
import { sseData, type ByteReader } from './sse.js';

const graceMs = 500;

export async function decodeWhole(http: Http, request: DecodeRequest, options: RequestOptions): Promise<Answer> {
  const { data, ...facts } = await http.json({ method: 'POST', ...bodyOf(request, false) }, options);
  const collector = new Collector();
  collector.take(startedOf(data, facts));
  for (const event of eventsOf(data)) collector.take(event);
  const done = doneOf(data);
  if (done) collector.take(done);
  return collector.answer();
}

export async function* decodeStreamed(
  http: Http,
  request: DecodeRequest,
  options: RequestOptions,
): AsyncGenerator<StreamEvent, void, undefined> {
  const { response, lifeline } = await http.open(
    { method: 'POST', ...bodyOf(request, true), accept: 'text/event-stream' },
    options,
  );
  let ended: () => Promise<void> = async () => undefined;
  try {
    const { body } = response;
    const type = response.headers.get('content-type') ?? 'none';
    if (body === null || !type.startsWith('text/event-stream'))
      throw new ProtocolError(`A stream of events was asked for, and content of type ${type} came.`);
    const reader = body.getReader();
    const read: ByteReader['read'] = async () => {
      lifeline.heard();
      try {
        return await reading(lifeline, () => reader.read());
      } finally {
        lifeline.rest();
      }
    };
    yield* streamEvents(sseData({ read }), factsOf(response));
    ended = () => endOf(reader);
  } finally {
    // A connection whose reply was read to its end can serve again. One that is closed before frees the rows on the server.
    await ended();
    lifeline.cut(new AbortedError('The stream was left before its end.'));
  }
}

/** What follows the last event is the end of the reply; it is not worth waiting for long. */
async function endOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMs)));
  const end = async (): Promise<void> => {
    while (!(await reader.read()).done);
  };
  await Promise.race([end().catch(() => undefined), late]);
  clearTimeout(timer);
}

/** The data of a stream's events → what they say. */
export async function* streamEvents(
  payloads: AsyncIterable<string>,
  facts: ReplyFacts,
): AsyncGenerator<StreamEvent, void, undefined> {
  let isStarted = false;
  let done: DoneEvent | null = null;
  for await (const payload of payloads) {
    if (payload === '[DONE]') {
      if (done === null) throw new ProtocolError('The stream ended without saying what was done.');
      yield done;
      return;
    }
    const chunk = parsed(payload);
    refuseError(chunk, facts);
    if (!isStarted) yield startedOf(chunk, facts);
    isStarted = true;
    yield* eventsOf(chunk);
    done = doneOf(chunk) ?? done;
  }
  throw new ConnectionError('The stream was cut off before its end.');
}

/** The headers are gone by then, so an error can only be an event. */
function refuseError(chunk: unknown, { requestId }: ReplyFacts): void {
  const error = typeof chunk === 'object' && chunk !== null && 'error' in chunk ? chunk.error : null;
  if (error === null || error === undefined) return;
  throw apiError(errorDetails(error, 'The server failed in the middle of the stream.'), {
    status: null,
    requestId,
    retryAfterMs: null,
    shouldRetry: null,
  });
}
