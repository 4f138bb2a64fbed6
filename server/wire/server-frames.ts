// What the server says on /v1/decode/ws, each message as JSON text. `text` is put together by hand because it is sent for every token of every
// stream. Knows no connection.
import type { ErrorData } from '../errors.js';
import type { FrameContext, Ref } from './client-frames.js';
import type { Alternative, FinishReason, PromptTokenRecord, TokenRecord } from './decode.js';
import { errorBody } from './error-body.js';
import { chatToken, finite } from './logprobs.js';
import type { DecodingReport, WireUsage } from './reply.js';
import type { SpokenEvent } from './tool-calls.js';
import type { WireTokenTrace, WireTrace } from './trace.js';

export type ServerFrameType =
  | 'started'
  | 'prompt'
  | 'token'
  | 'text'
  | 'tool_call'
  | 'tool_arguments'
  | 'search'
  | 'commit'
  | 'rewind'
  | 'paused'
  | 'updated'
  | 'finished'
  | 'failed'
  | 'error'
  | 'pong';

/** One choice's end. */
export interface Ending {
  readonly index: number;
  readonly finish_reason: FinishReason | 'tool_calls' | null;
  readonly stop_reason: string | number | null;
}

/** How a token came, as far as that was asked for. */
export interface TokenDetails {
  readonly record: TokenRecord | null;
  readonly trace: WireTokenTrace | null;
  readonly isCut: boolean;
}

/** What is told of a prompt; null is what was not asked for. */
export interface ToldPrompt {
  readonly text: string | null;
  readonly ids: Int32Array | null;
  readonly tokens: readonly PromptTokenRecord[] | null;
}

const alternative = (token: Alternative): object => ({ token_id: token.id, ...chatToken(token) });

const promptToken = ({ id, bytes, logprob, top }: PromptTokenRecord): object => ({
  ...alternative({ id, bytes, logprob: 0 }),
  logprob: logprob === null ? null : finite(logprob),
  top_logprobs: top.map(alternative),
});

const base64 = (row: Float32Array): string =>
  Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('base64');

/** Ids hold nothing that JSON would escape. */
const head = (type: ServerFrameType, id: string): string => `{"type":"${type}","id":"${id}"`;

const withFields = (start: string, fields: object): string => `${start},${JSON.stringify(fields).slice(1)}`;

export function startedFrame(id: string, fields: object): string {
  return withFields(head('started', id), fields);
}

export function promptFrame(id: string, prompt: number, { text, ids, tokens }: ToldPrompt): string {
  return withFields(head('prompt', id), {
    prompt,
    ...(text === null ? {} : { text }),
    ...(ids ? { token_ids: Array.from(ids) } : {}),
    ...(tokens ? { tokens: tokens.map(promptToken) } : {}),
  });
}

export function textFrame(id: string, choice: number, position: number, text: string): string {
  return `${head('text', id)},"choice":${choice},"position":${position},"text":${JSON.stringify(text)}}`;
}

export function toolCallFrame(
  id: string,
  choice: number,
  position: number,
  { index, id: callId, name }: Extract<SpokenEvent, { kind: 'call' }>,
): string {
  return withFields(head('tool_call', id), { choice, position, call: index, call_id: callId, name });
}

export function toolArgumentsFrame(
  id: string,
  choice: number,
  position: number,
  { index, text }: Extract<SpokenEvent, { kind: 'arguments' }>,
): string {
  return withFields(head('tool_arguments', id), { choice, position, call: index, text });
}

export function tokenFrame(
  id: string,
  choice: number,
  position: number,
  tokenId: number,
  details: TokenDetails,
): string {
  const { record, trace, isCut } = details;
  const fields = {
    choice,
    position,
    token_id: tokenId,
    ...(record ? { ...chatToken(record), top_logprobs: record.top.map(alternative) } : {}),
    ...(record?.full ? { full: base64(record.full) } : {}),
    ...(trace ? { trace } : {}),
    ...(isCut ? { trace_cut: true } : {}),
  };
  return withFields(head('token', id), fields);
}

export function searchFrame(
  id: string,
  choice: number,
  { search_trace: events = [], search_trace_cut }: WireTrace,
): string {
  return withFields(head('search', id), { choice, events, ...(search_trace_cut ? { cut: true } : {}) });
}

export function commitFrame(id: string, choice: number, position: number): string {
  return `${head('commit', id)},"choice":${choice},"position":${position}}`;
}

export function rewindFrame(id: string, choice: number, from: number, to: number): string {
  return `${head('rewind', id)},"choice":${choice},"from":${from},"to":${to}}`;
}

export function pausedFrame(id: string): string {
  return `${head('paused', id)}}`;
}

export function updatedFrame(id: string, ref: Ref | null, fields: object): string {
  return withFields(head('updated', id), { ...(ref === null ? {} : { ref }), ...fields });
}

export function finishedFrame(
  id: string,
  choices: readonly Ending[],
  usage: WireUsage,
  decoding: DecodingReport,
): string {
  return withFields(head('finished', id), { choices, usage, decoding });
}

export function failedFrame(id: string, data: ErrorData): string {
  return withFields(head('failed', id), { ...errorBody(data), ...retry(data) });
}

/** A message was refused; no decode is concerned. */
export function errorFrame({ id, ref, request }: FrameContext, data: ErrorData): string {
  return JSON.stringify({
    type: 'error',
    ...(id === null ? {} : { id }),
    ...(ref === null ? {} : { ref }),
    ...(request === null ? {} : { request }),
    ...errorBody(data),
    ...retry(data),
  });
}

export function pongFrame(ref: Ref | null): string {
  return JSON.stringify({ type: 'pong', ...(ref === null ? {} : { ref }) });
}

/** As the header retry-after of an HTTP answer. */
function retry({ status, retryAfterSeconds }: ErrorData): object {
  if (retryAfterSeconds !== undefined) return { retry_after: retryAfterSeconds };
  return status === 503 || status === 429 ? { retry_after: 1 } : {};
}
