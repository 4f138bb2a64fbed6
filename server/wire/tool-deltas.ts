// Calls of tools in the shapes of OpenAI's chat: as deltas of a stream, and as the message of a whole answer. Used by chat-reply.ts.
import type { SpokenEvent } from './tool-calls.js';

export interface ToolMessage {
  /** Null where nothing is said beside the calls. */
  readonly content: string | null;
  readonly tool_calls: readonly {
    readonly id: string;
    readonly type: 'function';
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
}

export function toolMessage(events: readonly SpokenEvent[]): ToolMessage {
  const content = events.map((event) => (event.kind === 'content' ? event.text : '')).join('');
  const calls = events.flatMap((event) => (event.kind === 'call' ? [event] : []));
  return {
    content: content === '' && calls.length > 0 ? null : content,
    tool_calls: calls.map(({ index, id, name }) => {
      const parts = events.map((event) => (event.kind === 'arguments' && event.index === index ? event.text : ''));
      return { id, type: 'function', function: { name, arguments: parts.join('') } };
    }),
  };
}

/** The JSON of the delta. */
export function deltaOf(event: SpokenEvent): string {
  switch (event.kind) {
    case 'content':
      return JSON.stringify({ content: event.text });
    case 'call': {
      const called = { name: event.name, arguments: '' };
      return JSON.stringify({ tool_calls: [{ index: event.index, id: event.id, type: 'function', function: called }] });
    }
    case 'arguments':
      return JSON.stringify({ tool_calls: [{ index: event.index, function: { arguments: event.text } }] });
    default:
      return event satisfies never;
  }
}
