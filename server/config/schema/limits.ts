// The section `limits`: what one request, all of them together and a connection may take, in rows, tokens, bytes and time.
import { Type } from 'typebox';
import { closed, mebibyte, seconds } from './common.js';

export const Limits = Type.Object(
  {
    maxRows: Type.Integer({
      default: 256,
      minimum: 1,
      maximum: 4096,
      description: 'Sequences that decode together, per model (rows).',
    }),
    maxWaiting: Type.Integer({
      default: 256,
      minimum: 0,
      description: 'Requests that may wait for a row; further ones get 503 with retry-after (requests).',
    }),
    stepMs: Type.Union([Type.Null(), Type.Number({ exclusiveMinimum: 0 })], {
      default: 100,
      description:
        'Longest step of everything that runs, as learnt from what ran (ms): the time between two tokens of an answer. Requests beyond it wait rather than slow the others down; one may always run, and company that keeps its step below three of its own too. null: any.',
    }),
    waitMs: Type.Union([Type.Null(), Type.Number({ minimum: 0 })], {
      default: 5000,
      description:
        'Longest estimated wait for room (ms); what would wait longer gets 503 with retry-after at once. A request whose own first token takes longer than this may wait as long as that. null: any.',
    }),
    firstTokenMs: Type.Union([Type.Null(), Type.Number({ minimum: 0 })], {
      default: 20_000,
      description:
        "Longest time that others' prompts and the wait for room may add to a request's first token, as estimated (ms); the rest as with waitMs. null: any.",
    }),
    tokensPerTick: Type.Integer({
      default: 2048,
      minimum: 1,
      description:
        'New tokens computed per model in one step over all rows (tokens): bounds the time that a decode step or an abort waits for prompts.',
    }),
    tokensPerRequest: Type.Integer({
      default: 65536,
      minimum: 1,
      description: 'Budget of one request: prompts × n × max_tokens (tokens).',
    }),
    traceTokens: Type.Integer({
      default: 1024,
      minimum: 0,
      description:
        'Tokens of each choice that "decoding_trace" tells of; the rest of a longer answer is not traced (tokens).',
    }),
    maxPrompts: Type.Integer({
      default: 128,
      minimum: 1,
      description: 'Prompts of one completions request (prompts).',
    }),
    maxN: Type.Integer({ default: 64, minimum: 1, description: 'Largest n of one request (choices).' }),
    cacheBytes: Type.Integer({
      default: 1024 * mebibyte,
      minimum: 1,
      description: 'Key/value cache per model (bytes). Requests that do not fit wait.',
    }),
    prefixCacheBytes: Type.Integer({
      default: 256 * mebibyte,
      minimum: 0,
      description: 'Finished prompts that are kept for re-use, per model (bytes). 0 is off.',
    }),
    bodyBytes: Type.Integer({ default: 4 * mebibyte, minimum: 1024, description: 'Largest request body (bytes).' }),
    requestTimeoutMs: Type.Integer({
      default: 30 * seconds,
      minimum: 0,
      description: 'Time in which a request must have arrived whole (ms). 0 is off.',
    }),
    connectionTimeoutMs: Type.Integer({
      default: 3600 * seconds,
      minimum: 0,
      description:
        'A connection without any traffic is closed after this (ms); it must exceed the longest answer that is not streamed. 0 is off.',
    }),
    keepAliveTimeoutMs: Type.Integer({
      default: 72 * seconds,
      minimum: 0,
      description: 'How long a connection stays open between requests (ms).',
    }),
    writeTimeoutMs: Type.Integer({
      default: 30 * seconds,
      minimum: 1,
      description: 'A reader that takes nothing for this long is cut and its rows are freed (ms).',
    }),
    pingMs: Type.Integer({
      default: 15 * seconds,
      minimum: 10,
      description: 'Silence after which a comment line keeps a stream open (ms).',
    }),
    textTimeoutMs: Type.Integer({
      default: 5 * seconds,
      minimum: 10,
      description: 'Longest time for tokenising or rendering the chat template of one prompt (ms).',
    }),
    drainTimeoutMs: Type.Integer({
      default: 30 * seconds,
      minimum: 0,
      description: 'After SIGTERM or SIGINT, time for running requests to finish (ms).',
    }),
  },
  { ...closed, default: {}, description: 'Bounds that protect the process.' },
);
