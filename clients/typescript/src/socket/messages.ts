// Messages of the server (docs/websocket.md) → events, the same as over HTTP. Types that are unknown say nothing to this version.
import { errorDetails } from '../api-error.js';
import { finishedOf, promptOf, reportOf, storyEvents } from '../chunks.js';
import type { ErrorCircumstances, ErrorDetails } from '../errors.js';
import { ProtocolError } from '../errors.js';
import type { StreamEvent, Token, UpdatedEvent } from '../events.js';
import { parsed } from '../http.js';
import type { DecodeRequest } from '../requests.js';
import { fields, isThere, items, number, string, whole, type Fields } from '../read.js';
import type { TokenTrace, Usage } from '../replies.js';
import { chatToken, floats, unknownToken } from '../tokens.js';

export interface ServerMessage {
  readonly type: string;
  readonly id: string | null;
  readonly ref: string | null;
  readonly body: Fields;
}

export function readMessage(text: string): ServerMessage {
  const body = fields(parsed(text), 'a message');
  const { id, ref } = body;
  return {
    type: string(body['type'], 'type'),
    id: typeof id === 'string' ? id : null,
    ref: typeof ref === 'string' ? ref : null,
    body,
  };
}

/** Of a message about a decode: what the same request would be told over HTTP. */
export function* messageEvents(
  { type, body }: ServerMessage,
  { n, return_token_ids: wantsIds }: Pick<DecodeRequest, 'n' | 'return_token_ids'>,
): Generator<StreamEvent, void, undefined> {
  switch (type) {
    case 'started':
      yield {
        type: 'started',
        id: string(body['reply'], 'reply'),
        model: string(body['model'], 'model'),
        created: number(body['created'], 'created'),
        system_fingerprint: string(body['system_fingerprint'], 'system_fingerprint'),
        requestId: null,
        ignored: isThere(body['ignored']) ? items(body['ignored'], 'ignored').map((key) => string(key, 'ignored')) : [],
      };
      return;
    case 'prompt':
      yield* promptEvents(body, n ?? 1);
      return;
    case 'token':
      yield* tokenEvents(body, wantsIds ?? false);
      return;
    case 'text': {
      const { choice, text, position } = body;
      yield {
        type: 'text',
        choice: whole(choice, 'choice'),
        text: string(text, 'text'),
        position: whole(position, 'position'),
      };
      return;
    }
    case 'tool_call': {
      const { call_id: id, name } = body;
      yield { type, ...callOf(body), id: string(id, 'call_id'), name: string(name, 'name') };
      return;
    }
    case 'tool_arguments':
      yield { type, ...callOf(body), text: string(body['text'], 'text') };
      return;
    case 'search': {
      const choice = whole(body['choice'], 'choice');
      yield* storyEvents(body['events'], choice);
      if (body['cut'] === true) yield { type: 'trace_cut', choice, of: 'search' };
      return;
    }
    case 'commit':
      yield { type, choice: whole(body['choice'], 'choice'), position: whole(body['position'], 'position') };
      return;
    case 'rewind':
      yield {
        type,
        choice: whole(body['choice'], 'choice'),
        from: whole(body['from'], 'from'),
        to: whole(body['to'], 'to'),
      };
      return;
    case 'paused':
      yield { type };
      return;
    case 'updated':
      yield updatedOf(body);
      return;
    case 'finished': {
      for (const each of items(body['choices'], 'choices')) {
        const choice = fields(each, 'choices');
        yield finishedOf(choice, whole(choice['index'], 'index'));
      }
      const usage = fields(body['usage'], 'usage') as unknown as Usage;
      yield { type: 'done', usage, decoding: reportOf(body['decoding']) };
      return;
    }
    default:
  }
}

const callOf = ({ choice, call }: Fields): { readonly choice: number; readonly call: number } => ({
  choice: whole(choice, 'choice'),
  call: whole(call, 'call'),
});

export function updatedOf({ positions, formula, parameters }: Fields): UpdatedEvent {
  return {
    type: 'updated',
    positions: items(positions, 'positions').map((each) => (isThere(each) ? whole(each, 'positions') : null)),
    formula: string(formula, 'formula'),
    parameters: fields(parameters, 'parameters'),
  };
}

/** Of `failed` and `error`. */
export function failureOf({ body }: ServerMessage): readonly [ErrorDetails, ErrorCircumstances] {
  const { error, retry_after: seconds } = body;
  const isWorthwhile = typeof seconds === 'number';
  return [
    errorDetails(error, 'The server failed.'),
    {
      status: null,
      requestId: null,
      retryAfterMs: isWorthwhile ? seconds * 1000 : null,
      shouldRetry: isWorthwhile ? true : null,
    },
  ];
}

/** As over HTTP, where each choice has its prompt's ids, and an echoed prompt is its beginning. */
function* promptEvents(body: Fields, n: number): Generator<StreamEvent, void, undefined> {
  const prompt = whole(body['prompt'], 'prompt');
  const tokens = isThere(body['tokens']) ? items(body['tokens'], 'tokens').map(spokenToken) : [];
  const { token_ids: ids, text } = body;
  for (let choice = prompt * n; choice < (prompt + 1) * n; choice++) {
    if (isThere(ids)) yield promptOf(ids, choice);
    for (const token of tokens) yield { type: 'token', choice, token };
    if (isThere(text)) yield { type: 'text', choice, text: string(text, 'text'), position: null };
  }
}

function spokenToken(value: unknown): Token {
  return { ...chatToken(value), token_id: whole(fields(value, 'a token')['token_id'], 'token_id') };
}

function* tokenEvents(body: Fields, wantsIds: boolean): Generator<StreamEvent, void, undefined> {
  const choice = whole(body['choice'], 'choice');
  const { token_id: id, full, trace } = body;
  const token = isThere(body['token']) ? chatToken(body) : unknownToken;
  // A message that is there for its trace has the token's number too.
  if (wantsIds || token !== unknownToken)
    yield {
      type: 'token',
      choice,
      token: {
        ...token,
        token_id: whole(id, 'token_id'),
        full: isThere(full) ? floats(string(full, 'full')) : null,
      },
    };
  if (isThere(trace)) yield { type: 'trace', choice, trace: fields(trace, 'trace') as unknown as TokenTrace };
  if (body['trace_cut'] === true) yield { type: 'trace_cut', choice, of: 'trace' };
}

/** A message that concerns no decode and no question of ours: the two sides do not speak the same protocol. */
export function strangerError({ body }: ServerMessage): ProtocolError {
  return new ProtocolError(
    `The server refused a message: ${errorDetails(body['error'], 'it does not say why').message}`,
  );
}
