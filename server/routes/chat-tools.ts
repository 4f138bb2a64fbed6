// What a chat or a response says of tools → what the templates are given, what the engine must keep to, and how calls are read from the answer. Formats are
// in server/tools.
import type { Grammar } from '../../decoders/constraint/grammar.js';
import type { AppContext, ChatToolCall, ChatTools, ResolvedStrategy } from '../context.js';
import { definitionOf } from '../tools/format.js';
import { formatNamed } from '../tools/formats.js';
import type { ToolReading } from '../tools/parser.js';
import type { ToolUse } from '../wire/tools.js';
import { invalid } from '../wire/refusals.js';

export interface PreparedTools {
  readonly template: ChatTools;
  readonly constraint: Grammar | null;
  readonly reading: ToolReading;
  /** Control tokens that must be seen in the text. */
  readonly shownTokenIds: readonly number[];
}

/** Calls in one answer, where several are allowed. */
const MOST_CALLS = 16;

export async function prepareTools(
  { text, constraints }: Pick<AppContext, 'text' | 'constraints'>,
  { tokenizerModel }: Pick<ResolvedStrategy, 'tokenizerModel'>,
  { tools, choice, isParallel }: ToolUse,
): Promise<PreparedTools> {
  const { format: name, markerId } = text.toolFormat(tokenizerModel);
  const format = formatNamed(name);
  const called = tools.filter((tool) => choice.kind !== 'named' || tool.name === choice.name);
  const isDemanded = choice.kind !== 'auto';
  const isKept = isDemanded || called.some(({ strict }) => strict);
  const most = choice.kind !== 'named' && isParallel && format.isParallel ? MOST_CALLS : 1;
  const constraint = isKept
    ? await constraints.compile(
        {
          kind: 'tools',
          format: name,
          // Beside a strict function the others may be called with any object.
          tools: called.map(({ place, name: own, parameters, strict }) => ({
            place,
            name: own,
            parameters: isDemanded || strict ? parameters : ANY_ARGUMENTS,
          })),
          isDemanded,
          most,
          markerId,
        },
        'tools',
      )
    : null;
  return {
    template: { format: name, definitions: tools.map(definitionOf) },
    constraint,
    reading: { format, names: tools.map((tool) => tool.name) },
    shownTokenIds: markerId === null ? [] : [markerId],
  };
}

const ANY_ARGUMENTS = { type: 'object' };

/** The calls that a message of the assistant repeats. Templates want their arguments as objects. */
export function toolCalls(given: readonly unknown[], where: string): readonly ChatToolCall[] {
  return given.map((call, at): ChatToolCall => {
    const param = `${where}.tool_calls[${at}]`;
    const { id, type, function: called } = fields(call, param);
    const { name, arguments: text } = fields(called, `${param}.function`);
    if (type !== 'function')
      throw invalid(`${param}.type`, 'must be "function"', type, 'Send the call as it was received.');
    if (typeof id !== 'string')
      throw invalid(`${param}.id`, 'must be a string', id, 'Send the call as it was received.');
    if (typeof name !== 'string' || name === '')
      throw invalid(`${param}.function.name`, 'must be a non-empty string', name, 'Send the call as it was received.');
    return { id, type, function: { name, arguments: callArguments(text, `${param}.function.arguments`) } };
  });
}

export function callArguments(text: unknown, param: string): object {
  try {
    const value: unknown = typeof text === 'string' ? JSON.parse(text || '{}') : null;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw invalid(param, 'must be a JSON object as a string', text, 'Send the call as it was received.');
}

function fields(value: unknown, param: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(param, 'must be an object', value, 'Send the call as it was received.');
}
