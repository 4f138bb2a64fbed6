// Items of the Responses dialect → messages of a chat. Refuses by name what has no text here: pictures, files, references to stored items.
// Knows no model. Called by responses.ts.
import type { ChatMessage } from '../context.js';
import { AppError } from '../errors.js';
import type { InputItem, ResponsesRequest } from '../wire/responses.js';
import { shown } from '../wire/shown.js';

const roles: Readonly<Record<string, ChatMessage['role']>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
};

const textParts: ReadonlySet<string> = new Set(['input_text', 'output_text', 'text']);

const notSupported = (param: string, value: unknown, remedy: string): AppError =>
  new AppError('not_supported', { param, value: shown(value), remedy });

const required = (param: string, remedy: string): AppError =>
  new AppError('invalid_value', { param, problem: 'is required', value: 'nothing', remedy });

function content({ content: given }: InputItem, where: string): string {
  if (typeof given === 'string') return given;
  if (given === undefined) throw required(`${where}.content`, 'Send a string or a list of text parts.');
  const texts = given.map(({ type, text }, index) => {
    const param = `${where}.content[${index}]`;
    if (!textParts.has(type)) throw notSupported(`${param}.type`, type, 'Use input_text or output_text.');
    if (text === undefined) throw required(`${param}.text`, 'Send a string.');
    return text;
  });
  return texts.join('\n');
}

function message(item: InputItem, index: number): ChatMessage {
  const where = `input[${index}]`;
  const { type = 'message', role } = item;
  if (type === 'item_reference') {
    throw notSupported(`${where}.type`, type, 'Items are not stored here: send the item itself.');
  }
  if (type !== 'message') throw notSupported(`${where}.type`, type, 'Only messages are available.');
  if (role === undefined) throw required(`${where}.role`, `Use one of ${Object.keys(roles).join(', ')}.`);
  const known = Object.hasOwn(roles, role) ? roles[role] : undefined;
  if (known === undefined) throw notSupported(`${where}.role`, role, `Use one of ${Object.keys(roles).join(', ')}.`);
  return { role: known, content: content(item, where) };
}

export function inputMessages({ input, instructions }: ResponsesRequest): readonly ChatMessage[] {
  const system: readonly ChatMessage[] = instructions === undefined ? [] : [{ role: 'system', content: instructions }];
  return typeof input === 'string' ? [...system, { role: 'user', content: input }] : [...system, ...input.map(message)];
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
