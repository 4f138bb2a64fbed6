// Bytes of a server-sent event stream → the data of its events. Knows nothing of what they mean.
import { createParser } from 'eventsource-parser';
import { ProtocolError } from './errors.js';

/** One event may carry the log-probabilities of a whole vocabulary; more than this is no answer. */
const mostCharacters = 64 * 1024 * 1024;

/** What is read: the part of a web stream's reader that is needed. */
export interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
}

/** Ends with the bytes. An event whose blank line never came is dropped, as the standard has it. */
export async function* sseData(reader: ByteReader): AsyncGenerator<string, void, undefined> {
  const waiting: string[] = [];
  let tooLong = false;
  const parser = createParser({
    maxBufferSize: mostCharacters,
    onEvent: ({ data }) => waiting.push(data),
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') tooLong = true;
    },
  });
  const decoder = new TextDecoder();
  let isOver = false;
  let afterReturn = false;
  while (!isOver) {
    const { done, value } = await reader.read();
    isOver = done;
    // A carriage return ends a line, but the parser waits for what may belong to it.
    const text: string = done ? (afterReturn ? '\n' : '') : decoder.decode(value, { stream: true });
    if (text !== '') afterReturn = text.endsWith('\r');
    parser.feed(text);
    if (tooLong) throw new ProtocolError(`An event of the stream has more than ${mostCharacters} characters.`);
    yield* waiting.splice(0);
  }
}
