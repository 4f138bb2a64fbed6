// A chunk of a stream, or a whole reply (which is one chunk with everything in it) → events. Both dialects.
import type { DoneEvent, StreamEvent, StartedEvent } from './events.js';
import type { ReplyFacts } from './http.js';
import { fields, isThere, items, number, string, whole, type Fields } from './read.js';
import type { DecodingReport, FinishReason, SearchTrace, TokenTrace, Usage } from './replies.js';
import { tokensOf } from './tokens.js';

/** What every chunk repeats. */
export function startedOf(chunk: unknown, { requestId, ignored }: ReplyFacts): StartedEvent {
  const head = fields(chunk, 'a chunk');
  return {
    type: 'started',
    id: string(head['id'], 'id'),
    model: string(head['model'], 'model'),
    created: number(head['created'], 'created'),
    system_fingerprint: string(head['system_fingerprint'], 'system_fingerprint'),
    requestId,
    ignored,
  };
}

export function* eventsOf(chunk: unknown): Generator<StreamEvent, void, undefined> {
  const { choices, prompt_token_ids: prompt } = fields(chunk, 'a chunk');
  if (isThere(prompt)) yield promptOf(prompt, null);
  for (const each of items(choices, 'choices')) yield* choiceEvents(fields(each, 'choices'));
}

export function promptOf(ids: unknown, choice: number | null): StreamEvent {
  const numbers = items(ids, 'prompt_token_ids').map((id) => whole(id, 'prompt_token_ids'));
  return { type: 'prompt', choice, token_ids: numbers };
}

/** There on the last chunk that matters, and on a whole reply. */
export function doneOf(chunk: unknown): DoneEvent | null {
  const { usage, decoding } = fields(chunk, 'a chunk');
  if (!isThere(usage) || !isThere(decoding)) return null;
  return { type: 'done', usage: fields(usage, 'usage') as unknown as Usage, decoding: reportOf(decoding) };
}

export function reportOf(decoding: unknown): DecodingReport {
  return fields(decoding, 'decoding') as unknown as DecodingReport;
}

function* choiceEvents(choice: Fields): Generator<StreamEvent, void, undefined> {
  const index = whole(choice['index'], 'index');
  const { prompt_token_ids: prompt } = choice;
  if (isThere(prompt)) yield promptOf(prompt, index);
  for (const token of tokensOf(choice['logprobs'], choice['token_ids'], prompt))
    yield { type: 'token', choice: index, token };
  yield* traceEvents(choice, index);
  const said = choice['delta'] ?? choice['message'];
  const { content, tool_calls: calls } = isThere(said) ? fields(said, 'message') : { content: choice['text'] };
  const text = isThere(content) ? string(content, 'text') : '';
  if (text !== '') yield { type: 'text', choice: index, text, position: null };
  if (isThere(calls)) for (const [at, call] of items(calls, 'tool_calls').entries()) yield* callEvents(call, index, at);
  if (isThere(choice['finish_reason'])) yield finishedOf(choice, index);
}

export function finishedOf(choice: Fields, index: number): Extract<StreamEvent, { type: 'finished' }> {
  const { stop_reason: stop } = choice;
  return {
    type: 'finished',
    choice: index,
    finish_reason: string(choice['finish_reason'], 'finish_reason') as FinishReason,
    stop_reason: typeof stop === 'string' || typeof stop === 'number' ? stop : null,
  };
}

function* traceEvents(choice: Fields, index: number): Generator<StreamEvent, void, undefined> {
  const { decoding_trace: traces, search_trace: story } = choice;
  if (isThere(traces))
    for (const trace of items(traces, 'decoding_trace'))
      yield { type: 'trace', choice: index, trace: fields(trace, 'decoding_trace') as unknown as TokenTrace };
  if (choice['decoding_trace_cut'] === true) yield { type: 'trace_cut', choice: index, of: 'trace' };
  if (isThere(story)) yield* storyEvents(story, index);
  if (choice['search_trace_cut'] === true) yield { type: 'trace_cut', choice: index, of: 'search' };
}

export function* storyEvents(story: unknown, index: number): Generator<StreamEvent, void, undefined> {
  for (const entry of items(story, 'search_trace'))
    yield { type: 'search', choice: index, entry: fields(entry, 'search_trace') as SearchTrace };
}

/** A whole call, or what a delta brings of one: its beginning has the name. In a whole reply calls are numbered by their place. */
function* callEvents(value: unknown, choice: number, at: number): Generator<StreamEvent, void, undefined> {
  const { index, id, function: called } = fields(value, 'tool_calls');
  const { name, arguments: text } = fields(called, 'tool_calls.function');
  const call = isThere(index) ? whole(index, 'tool_calls.index') : at;
  if (isThere(name))
    yield { type: 'tool_call', choice, call, id: string(id, 'tool_calls.id'), name: string(name, 'tool_calls.name') };
  const said = isThere(text) ? string(text, 'tool_calls.arguments') : '';
  if (said !== '') yield { type: 'tool_arguments', choice, call, text: said };
}
