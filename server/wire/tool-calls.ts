// The text of an answer → what it says and whom it calls, each call with an id of its own. One per reply; reads each choice's text with a parser
// of its own (server/tools). Knows no dialect: chat, responses and the websocket each have their shape for these events.
import { randomUUID } from 'node:crypto';
import { ToolParser, type ToolEvent, type ToolReading } from '../tools/parser.js';
import type { FinishReason } from './decode.js';

type CallEvent = Extract<ToolEvent, { kind: 'call' }>;

export type SpokenEvent = Exclude<ToolEvent, CallEvent> | (CallEvent & { readonly id: string });

export class ToolCalls {
  readonly #reading: ToolReading;
  readonly #parsers = new Map<number, ToolParser>();

  constructor(reading: ToolReading) {
    this.#reading = reading;
  }

  push(choice: number, text: string): readonly SpokenEvent[] {
    return joined(this.#parser(choice).push(text));
  }

  /** Those that were held back, when the text has ended. */
  end(choice: number): readonly SpokenEvent[] {
    return joined(this.#parser(choice).end());
  }

  /** Of a whole answer. */
  read(choice: number, text: string): readonly SpokenEvent[] {
    const parser = this.#parser(choice);
    return joined([...parser.push(text), ...parser.end()]);
  }

  /** Why a choice ended: an answer that was cut is that, whatever it holds. */
  reason(choice: number, reason: FinishReason): FinishReason | 'tool_calls' {
    return reason === 'stop' && this.#parser(choice).calls > 0 ? 'tool_calls' : reason;
  }

  #parser(choice: number): ToolParser {
    const parser = this.#parsers.get(choice) ?? new ToolParser(this.#reading);
    this.#parsers.set(choice, parser);
    return parser;
  }
}

const callId = (): string => `call_${randomUUID().replaceAll('-', '').slice(0, 24)}`;

/** Neighbours of one kind as one. */
function joined(events: readonly ToolEvent[]): readonly SpokenEvent[] {
  const out: SpokenEvent[] = [];
  for (const event of events) {
    const last = out.at(-1);
    if (event.kind === 'content' && last?.kind === 'content')
      out[out.length - 1] = { ...last, text: last.text + event.text };
    else if (event.kind === 'arguments' && last?.kind === 'arguments' && last.index === event.index)
      out[out.length - 1] = { ...last, text: last.text + event.text };
    else out.push(event.kind === 'call' ? { ...event, id: callId() } : event);
  }
  return out;
}
