// Messages about tools for a template that knows none: tools are described in the system turn, calls and results are written as text. Used by
// the chat template (server/models/template.ts).
import type { ToolFormat } from './format.js';

/** The part of a message that is read here. */
export interface PlainMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
  readonly tool_calls?: readonly { readonly function: { readonly name: string; readonly arguments: object } }[];
}

export function plainMessages(
  messages: readonly PlainMessage[],
  format: ToolFormat,
  definitions: readonly object[],
): { readonly role: string; readonly content: string; readonly name?: string }[] {
  const spoken = messages.map(({ role, content, name, tool_calls: calls = [] }) => {
    if (role === 'tool')
      return { role: 'user', content: `Result${name === undefined ? '' : ` of ${name}`}: ${content}` };
    const text = [content, ...(calls.length > 0 ? [written(calls, format)] : [])]
      .filter((part) => part !== '')
      .join('\n');
    return { role, content: text, ...(name === undefined ? {} : { name }) };
  });
  if (definitions.length === 0) return spoken;
  const system = format.describe(
    definitions.map((definition) => JSON.stringify('function' in definition ? definition.function : definition)),
  );
  const [first] = spoken;
  return first?.role === 'system'
    ? [{ ...first, content: `${system}\n\n${first.content}` }, ...spoken.slice(1)]
    : [{ role: 'system', content: system }, ...spoken];
}

function written(calls: NonNullable<PlainMessage['tool_calls']>, { marker, end, argumentsKey }: ToolFormat): string {
  const texts = calls.map(({ function: { name, arguments: given } }) =>
    JSON.stringify({ name, [argumentsKey]: given }),
  );
  if (marker === null) return texts.join('; ');
  return end === null ? `${marker}[${texts.join(', ')}]` : texts.map((text) => marker + text + end).join('\n');
}
