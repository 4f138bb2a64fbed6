// Items of the Responses dialect → messages of a chat. Refuses by name what has no text here: pictures, files, references to stored items.
// Knows no model. Called by responses.ts.
import type { ChatMessage, ChatToolCall } from '../context.js';
import { AppError } from '../errors.js';
import type { InputItem, ResponsesRequest } from '../wire/responses.js';
import { shown } from '../wire/shown.js';
import { callArguments } from './chat-tools.js';
import { notSupported } from '../wire/refusals.js';

const roles: Readonly<Record<string, ChatMessage['role']>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
};

const textParts: ReadonlySet<string> = new Set(['input_text', 'output_text', 'text']);

const required = (param: string, remedy: string): AppError =>
  new AppError('invalid_value', { param, problem: 'is required', value: 'nothing', remedy });

function texts(given: InputItem['content'], where: string): string {
  if (typeof given === 'string') return given;
  if (given === undefined) throw required(where, 'Send a string or a list of text parts.');
  const parts = given.map(({ type, text }, index) => {
    const param = `${where}[${index}]`;
    if (!textParts.has(type)) throw notSupported(`${param}.type`, type, 'Use input_text or output_text.');
    if (text === undefined) throw required(`${param}.text`, 'Send a string.');
    return text;
  });
  return parts.join('\n');
}

function message({ role, content }: InputItem, where: string): ChatMessage {
  if (role === undefined) throw required(`${where}.role`, `Use one of ${Object.keys(roles).join(', ')}.`);
  const known = Object.hasOwn(roles, role) ? roles[role] : undefined;
  if (known === undefined) throw notSupported(`${where}.role`, role, `Use one of ${Object.keys(roles).join(', ')}.`);
  return { role: known, content: texts(content, `${where}.content`) };
}

const asReceived = 'Send the call as it was received.';

function call({ call_id: id, name, arguments: given }: InputItem, where: string): ChatToolCall {
  if (id === undefined) throw required(`${where}.call_id`, asReceived);
  if (name === undefined || name === '') throw required(`${where}.name`, asReceived);
  return { id, type: 'function', function: { name, arguments: callArguments(given, `${where}.arguments`) } };
}

function result({ call_id: id, output }: InputItem, where: string, before: readonly ChatMessage[]): ChatMessage {
  if (id === undefined) throw required(`${where}.call_id`, 'Send the one of the function_call.');
  if (!before.some(({ tool_calls: calls = [] }) => calls.some((one) => one.id === id)))
    throw new AppError('invalid_value', {
      param: `${where}.call_id`,
      problem: 'is of no function_call before it',
      value: shown(id),
      remedy: 'Items are not stored here: send the function_call too.',
    });
  return { role: 'tool', content: texts(output, `${where}.output`), tool_call_id: id };
}

/** What the assistant says and the calls that follow it are one message. */
function withCall(messages: ChatMessage[], made: ChatToolCall): void {
  const last = messages.at(-1);
  if (last?.role === 'assistant')
    messages[messages.length - 1] = { ...last, tool_calls: [...(last.tool_calls ?? []), made] };
  else messages.push({ role: 'assistant', content: '', tool_calls: [made] });
}

export function inputMessages({ input, instructions }: ResponsesRequest): readonly ChatMessage[] {
  const messages: ChatMessage[] = instructions === undefined ? [] : [{ role: 'system', content: instructions }];
  if (typeof input === 'string') return [...messages, { role: 'user', content: input }];
  for (const [index, item] of input.entries()) {
    const where = `input[${index}]`;
    const { type = 'message' } = item;
    switch (type) {
      case 'message':
        messages.push(message(item, where));
        break;
      case 'function_call':
        withCall(messages, call(item, where));
        break;
      case 'function_call_output':
        messages.push(result(item, where, messages));
        break;
      case 'item_reference':
        throw notSupported(`${where}.type`, type, 'Items are not stored here: send the item itself.');
      default:
        throw notSupported(`${where}.type`, type, 'Use message, function_call or function_call_output.');
    }
  }
  return messages;
}

/**
 * The latest part of a conversation that fits, for "truncation": "auto": system turns stay, turns are dropped from the beginning up to a
 * user's. The whole conversation where nothing shorter fits either: then the error tells of that.
 */
export async function fitting(
  messages: readonly ChatMessage[],
  fits: (messages: readonly ChatMessage[]) => Promise<boolean>,
): Promise<readonly ChatMessage[]> {
  if (await fits(messages)) return messages;
  const starts = messages.flatMap(({ role }, index) => (role === 'user' && index > 0 ? [index] : []));
  const from = (start: number): readonly ChatMessage[] =>
    messages.filter(({ role }, index) => role === 'system' || index >= start);
  // What fits goes on to fit when more is dropped.
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await fits(from(starts[middle] ?? 0))) high = middle;
    else low = middle + 1;
  }
  const start = starts[low];
  return start === undefined ? messages : from(start);
}
