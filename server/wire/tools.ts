// `tools`, `tool_choice` and `parallel_tool_calls` of a chat and of a response: OpenAI's two shapes → what may and what must be called. What a
// function's parameters say is checked where they are compiled (server/constraint).
import Type from 'typebox';
import { AppError } from '../errors.js';
import type { Tool } from '../tools/format.js';
import { shown } from './shown.js';
import { invalid } from './refusals.js';

const Fields = Type.Record(Type.String(), Type.Unknown());

export const ToolList = Type.Array(Fields, {
  maxItems: 128,
  description: 'a list of up to 128 {"type": "function", "function": {"name", "description", "parameters"}}',
});
/** A response has a function's fields beside its type; a chat has them under `function`. */
type Shape = 'nested' | 'flat';

const choices: Readonly<Record<Shape, string>> = {
  nested: '"none", "auto", "required" or {"type": "function", "function": {"name": "…"}}',
  flat: '"none", "auto", "required" or {"type": "function", "name": "…"}',
};
export const ToolChoiceField = Type.Union([Type.String(), Fields], { description: choices.nested });

export const FlatToolList = Type.Array(Fields, {
  maxItems: 128,
  description: 'a list of up to 128 {"type": "function", "name", "description", "parameters"}',
});
export const FlatToolChoiceField = Type.Union([Type.String(), Fields], { description: choices.flat });

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
export function readTools(
  { tools: given = [], tool_choice: choice, parallel_tool_calls: parallel }: ToolFields,
  shape: Shape = 'nested',
): ToolUse | null {
  const tools = given.map((tool, at) => readTool(tool, at, shape));
  tools.forEach(({ name }, at) => {
    const param = `${placeOf(shape, `tools[${at}]`)}.name`;
    if (tools.slice(0, at).some((other) => other.name === name))
      throw invalid(param, 'is declared twice', name, 'Give each function a name of its own.');
  });
  const read = readChoice(choice, tools, shape);
  if (tools.length === 0 || read === null) return null;
  return { tools, choice: read, isParallel: parallel ?? true };
}

/** Where the fields of a function stand. */
const placeOf = (shape: Shape, where: string): string => (shape === 'nested' ? `${where}.function` : where);

function readTool(tool: Fields, at: number, shape: Shape): Tool {
  if (tool['type'] !== 'function')
    throw new AppError('not_supported', {
      param: `tools[${at}].type`,
      value: shown(tool['type']),
      remedy: 'Only "function" is available.',
    });
  const where = placeOf(shape, `tools[${at}]`);
  const { name, description = null, parameters = null, strict = null } = functionOf(tool, `tools[${at}]`, shape);
  if (typeof name !== 'string' || !/^[\w-]{1,64}$/.test(name))
    throw invalid(`${where}.name`, 'must be 1 to 64 letters, digits, _ or -', name, 'Name the function.');
  if (description !== null && typeof description !== 'string')
    throw invalid(`${where}.description`, 'must be a string', description, 'Leave it out.');
  if (parameters !== null && !isFields(parameters))
    throw invalid(`${where}.parameters`, 'must be an object', parameters, 'Send a JSON Schema.');
  if (strict !== null && typeof strict !== 'boolean')
    throw invalid(`${where}.strict`, 'must be true or false', strict, 'Leave it out.');
  return { name, description, parameters, strict: strict ?? false, place: placeOf(shape, `[${at}]`) };
}

const functionFields = ['name', 'description', 'parameters', 'strict'];

function functionOf(tool: Fields, where: string, shape: Shape): Fields {
  if (shape === 'flat') {
    known(tool, ['type', ...functionFields], where);
    return tool;
  }
  const given = tool['function'];
  if (!isFields(given))
    throw invalid(`${where}.function`, 'must be an object', given, 'Send {"name": …, "parameters": {…}}.');
  known(tool, ['type', 'function'], where);
  known(given, functionFields, `${where}.function`);
  return given;
}

function readChoice(choice: string | Fields | undefined, tools: readonly Tool[], shape: Shape): ToolChoice | null {
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
      const own = isFields(choice) && choice['type'] === 'function' ? choice : null;
      const given = shape === 'nested' ? own?.['function'] : own;
      if (!isFields(given)) throw invalid('tool_choice', 'is not known', choice, `Use ${choices[shape]}.`);
      const { name } = given;
      if (typeof name !== 'string' || !names.includes(name))
        throw invalid(
          `${placeOf(shape, 'tool_choice')}.name`,
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
