// `tools`, `tool_choice` and `parallel_tool_calls` of a chat: OpenAI's shapes → what may and what must be called. What a function's parameters
// say is checked where they are compiled (server/constraint).
import Type from 'typebox';
import { AppError } from '../errors.js';
import type { Tool } from '../tools/format.js';
import { shown } from './shown.js';

const Fields = Type.Record(Type.String(), Type.Unknown());

export const ToolList = Type.Array(Fields, {
  maxItems: 128,
  description: 'a list of up to 128 {"type": "function", "function": {"name", "description", "parameters"}}',
});
const choices = '"none", "auto", "required" or {"type": "function", "function": {"name": "…"}}';
export const ToolChoiceField = Type.Union([Type.String(), Fields], { description: choices });

export type ToolChoice =
  { readonly kind: 'auto' } | { readonly kind: 'required' } | { readonly kind: 'named'; readonly name: string };

/** What a request says of tools. */
export interface ToolUse {
  readonly tools: readonly Tool[];
  readonly choice: ToolChoice;
  /** Several calls in one answer. */
  readonly isParallel: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

export interface ToolFields {
  readonly tools?: readonly Fields[];
  readonly tool_choice?: string | Fields;
  readonly parallel_tool_calls?: boolean;
}

/** Null: nothing may be called. */
export function readTools({
  tools: given = [],
  tool_choice: choice,
  parallel_tool_calls: parallel,
}: ToolFields): ToolUse | null {
  const tools = given.map(readTool);
  tools.forEach(({ name }, at) => {
    if (tools.slice(0, at).some((other) => other.name === name))
      throw invalid(`tools[${at}].function.name`, 'is declared twice', name, 'Give each function a name of its own.');
  });
  const read = readChoice(choice, tools);
  if (tools.length === 0 || read === null) return null;
  return { tools, choice: read, isParallel: parallel ?? true };
}

function readTool(tool: Fields, at: number): Tool {
  const where = `tools[${at}]`;
  if (tool['type'] !== 'function')
    throw new AppError('not_supported', {
      param: `${where}.type`,
      value: shown(tool['type']),
      remedy: 'Only "function" is available.',
    });
  const given = tool['function'];
  if (!isFields(given))
    throw invalid(`${where}.function`, 'must be an object', given, 'Send {"name": …, "parameters": {…}}.');
  known(tool, ['type', 'function'], where);
  known(given, ['name', 'description', 'parameters', 'strict'], `${where}.function`);
  const { name, description = null, parameters = null, strict = null } = given;
  if (typeof name !== 'string' || !/^[\w-]{1,64}$/.test(name))
    throw invalid(`${where}.function.name`, 'must be 1 to 64 letters, digits, _ or -', name, 'Name the function.');
  if (description !== null && typeof description !== 'string')
    throw invalid(`${where}.function.description`, 'must be a string', description, 'Leave it out.');
  if (parameters !== null && !isFields(parameters))
    throw invalid(`${where}.function.parameters`, 'must be an object', parameters, 'Send a JSON Schema.');
  if (strict !== null && typeof strict !== 'boolean')
    throw invalid(`${where}.function.strict`, 'must be true or false', strict, 'Leave it out.');
  return { name, description, parameters, strict: strict ?? false };
}

function readChoice(choice: string | Fields | undefined, tools: readonly Tool[]): ToolChoice | null {
  const names = tools.map(({ name }) => name);
  switch (choice) {
    case 'none':
      return null;
    case undefined:
    case 'auto':
      return { kind: 'auto' };
    case 'required':
      if (tools.length === 0)
        throw invalid('tool_choice', 'demands a call, but there are no tools', choice, 'Send tools.');
      return { kind: 'required' };
    default: {
      const given = isFields(choice) && choice['type'] === 'function' ? choice['function'] : null;
      if (!isFields(given)) throw invalid('tool_choice', 'is not known', choice, `Use ${choices}.`);
      const { name } = given;
      if (typeof name !== 'string' || !names.includes(name))
        throw invalid(
          'tool_choice.function.name',
          'is no function of this request',
          name,
          `Declared: ${names.join(', ') || 'none'}.`,
        );
      return { kind: 'named', name };
    }
  }
}

function known(fields: Fields, names: readonly string[], where: string): void {
  const strange = Object.keys(fields).find((key) => !names.includes(key));
  if (strange !== undefined)
    throw invalid(`${where}.${strange}`, 'is not known', fields[strange], `Known: ${names.join(', ')}.`);
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const invalid = (param: string, problem: string, value: unknown, remedy: string): AppError =>
  new AppError('invalid_value', { param, problem, value: shown(value), remedy });
