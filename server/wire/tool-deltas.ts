// Calls of tools in OpenAI's shapes: as deltas of a stream, and as the message of a whole answer. One per reply; reads each choice's text with
// a parser of its own (server/tools).
import { randomUUID } from 'node:crypto';
import { ToolParser, type ToolEvent, type ToolReading } from '../tools/parser.js';
import type { FinishReason } from './decode.js';

export interface ToolMessage {
  /** Null where nothing is said beside the calls. */
  readonly content: string | null;
  readonly tool_calls: readonly {
    readonly id: string;
    readonly type: 'function';
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
}

export class ToolDeltas {
  readonly #reading: ToolReading;
  readonly #parsers = new Map<number, ToolParser>();

  constructor(reading: ToolReading) {
    this.#reading = reading;
  }

  /** The JSON of each delta that this text brings. */
  push(choice: number, text: string): readonly string[] {
    return joined(this.#parser(choice).push(text)).map(deltaOf);
  }

  /** Those that were held back, when the text has ended. */
  end(choice: number): readonly string[] {
    return joined(this.#parser(choice).end()).map(deltaOf);
  }

  /** Why a choice ended: an answer that was cut is that, whatever it holds. */
  reason(choice: number, reason: FinishReason): FinishReason | 'tool_calls' {
    return reason === 'stop' && this.#parser(choice).calls > 0 ? 'tool_calls' : reason;
  }

  message(choice: number, text: string): ToolMessage {
    const parser = this.#parser(choice);
    const events = joined([...parser.push(text), ...parser.end()]);
    const content = events.map((event) => (event.kind === 'content' ? event.text : '')).join('');
    const calls = events.flatMap((event) => (event.kind === 'call' ? [event] : []));
    return {
      content: content === '' && calls.length > 0 ? null : content,
      tool_calls: calls.map(({ index, name }) => {
        const parts = events.map((event) => (event.kind === 'arguments' && event.index === index ? event.text : ''));
        return { id: callId(), type: 'function', function: { name, arguments: parts.join('') } };
      }),
    };
  }

  #parser(choice: number): ToolParser {
    const parser = this.#parsers.get(choice) ?? new ToolParser(this.#reading);
    this.#parsers.set(choice, parser);
    return parser;
  }
}

const callId = (): string => `call_${randomUUID().replaceAll('-', '').slice(0, 24)}`;

function deltaOf(event: ToolEvent): string {
  switch (event.kind) {
    case 'content':
      return JSON.stringify({ content: event.text });
    case 'call': {
      const called = { name: event.name, arguments: '' };
      return JSON.stringify({ tool_calls: [{ index: event.index, id: callId(), type: 'function', function: called }] });
    }
    case 'arguments':
      return JSON.stringify({ tool_calls: [{ index: event.index, function: { arguments: event.text } }] });
    default:
      return event satisfies never;
  }
}

/** Neighbours of one kind as one. */
function joined(events: readonly ToolEvent[]): readonly ToolEvent[] {
  const out: ToolEvent[] = [];
  for (const event of events) {
    const last = out.at(-1);
    if (event.kind === 'content' && last?.kind === 'content')
      out[out.length - 1] = { ...last, text: last.text + event.text };
    else if (event.kind === 'arguments' && last?.kind === 'arguments' && last.index === event.index)
      out[out.length - 1] = { ...last, text: last.text + event.text };
    else out.push(event);
  }
  return out;
}
