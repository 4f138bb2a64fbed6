// Reads JSON bodies: says where a malformed one breaks, refuses keys that poison prototypes, and bounds the nesting, so that nothing
// behind it has to fear a recursion on what a client sent.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';
import { shown } from '../wire/shown.js';

const maxDepth = 64;

const quote = 0x22;
const backslash = 0x5c;
/** `[` and `{`, `]` and `}` differ in this bit only. */
const braceBit = 0x20;

/** Deepest nesting of lists and objects; counts before anything is built. */
export function jsonDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === quote) {
      for (index++; index < text.length && text.charCodeAt(index) !== quote; index++) {
        if (text.charCodeAt(index) === backslash) index++;
      }
    } else if ((code | braceBit) === 0x7b) {
      deepest = Math.max(deepest, ++depth);
    } else if ((code | braceBit) === 0x7d) {
      depth--;
    }
  }
  return deepest;
}

/** What is wrong with a text that the safe parser refused. */
function reasonOf(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    return shown((error as Error).message, 160).slice(1, -1);
  }
  return 'it has a forbidden key (__proto__ or constructor.prototype)';
}

function refuseEncodings({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new AppError('unsupported_content_encoding', { value: shown(encoding) });
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Other bytes would reach a prompt as U+FFFD, with nobody told. */
function utf8Text(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new AppError('invalid_json', { reason: 'it is not UTF-8' });
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    /** JSON that did not come as a body, by the same rules. Throws invalid_json. */
    parseJson(request: FastifyRequest, text: string): unknown;
  }
}

export function acceptOnlyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  const parseJson = (request: FastifyRequest, text: string): unknown => {
    if (text === '') throw new AppError('invalid_json', { reason: 'it is empty' });
    if (jsonDepth(text) > maxDepth) {
      throw new AppError('invalid_json', { reason: `it is nested deeper than ${maxDepth} levels` });
    }
    let failed = false;
    let parsed: unknown;
    // The parser answers before it returns.
    void parse(request, text, (error, body: unknown) => {
      failed = error !== null;
      parsed = body;
    });
    if (failed) throw new AppError('invalid_json', { reason: reasonOf(text) });
    return parsed;
  };
  app.decorate('parseJson', parseJson);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (request: FastifyRequest, bytes: Buffer, done: (error: Error | null, body?: unknown) => void): void => {
      let body: unknown;
      try {
        refuseEncodings(request);
        body = parseJson(request, utf8Text(bytes));
      } catch (error) {
        done(error as Error);
        return;
      }
      done(null, body);
    },
  );
}
