// The chat template of a checkpoint folder: messages → prompt text, with the variables and functions that transformers offers it.
// Templates come from the model folder only, never from a request. Runs in the text worker, whose wall-clock and memory limits
// end what the size limits here do not. Knows no ids.
import { join } from 'node:path';
import * as library from '@huggingface/jinja';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { countMarks, partsOf } from './image-mark.js';
import { invalidFile, isJsonObject, readJsonObject, readSmallFile } from './json-file.js';
import { formatNamed, formatOfTemplate, genericFormat } from '../tools/formats.js';
import { plainMessages } from '../tools/plain-messages.js';
import { stripByCharacters, stripFunctions } from './template-strip.js';
import type { SpecialTokens } from './tokenizer.js';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly type: 'function';
    readonly function: { readonly name: string; readonly arguments: object };
  }[];
  readonly tool_call_id?: string;
}

export interface RenderOptions {
  /** End with the opening of the assistant's turn. */
  readonly addGenerationPrompt: boolean;
  /** Leave the last message open: the answer continues it. */
  readonly continueFinal: boolean;
  /** Tools, and the format in which calls are to be written. */
  readonly tools?: { readonly format: string; readonly definitions: readonly object[] } | null;
}

/** The part of the library that is used here. Its own declarations do not resolve under Node's module rules. */
interface Environment {
  set(name: string, value: unknown): unknown;
}
const { Template, Interpreter, Environment } = library as unknown as {
  readonly Template: new (source: string) => { readonly parsed: object };
  readonly Interpreter: new (environment: Environment) => { run(program: object): { readonly value: string } };
  readonly Environment: new () => Environment;
};

/** The longest published templates have about 30 000 characters. */
const maxTemplateLength = 1 << 20;
const maxTextLength = 1 << 24;
const maxRange = 1 << 16;

/** What a template writes around a turn of the assistant that is not known yet. */
export interface TurnFrame {
  readonly before: string;
  readonly after: string;
  /** The template trims what the turn says. */
  readonly trims: boolean;
}

class Refusal extends Error {}

export class ChatTemplate {
  readonly #program: object;
  /** The tool format that the template itself writes; null where it knows no tools. */
  readonly toolFormat: string | null;
  /** It reads messages in parts, of which some are images: only where there are any, or always. */
  readonly #parts: 'never' | 'images' | 'always';

  constructor(
    readonly path: string,
    source: string,
    private readonly specialTokens: SpecialTokens,
  ) {
    if (source.length > maxTemplateLength) {
      const problem = `the chat template has ${source.length} characters, the limit is ${maxTemplateLength}`;
      throw invalidFile(path, problem, 'Use a shorter template.');
    }
    this.toolFormat = formatOfTemplate(source)?.name ?? null;
    const knowsImages = /['"]image['"]/.test(source);
    this.#parts = !knowsImages ? 'never' : /\bis (not )?string\b/.test(source) ? 'images' : 'always';
    try {
      this.#program = new Template(withoutGenerationMarks(source)).parsed;
      stripByCharacters(this.#program);
    } catch (error) {
      throw invalidFile(path, `the chat template is not valid: ${reasonOf(error)}`, 'Correct the template.', error);
    }
  }

  /** Null when the checkpoint has no template (base models). */
  static load(directory: string, specialTokens: SpecialTokens): ChatTemplate | null {
    const file = join(directory, 'chat_template.jinja');
    const bytes = readSmallFile(file);
    if (bytes !== null) return new ChatTemplate(file, bytes.toString('utf8'), specialTokens);
    // Where the template belongs to a processor of images and text, older versions of transformers keep it apart.
    const apart = join(directory, 'chat_template.json');
    const own = defaultTemplate(apart, readJsonObject(apart)?.['chat_template']);
    if (own !== null) return new ChatTemplate(apart, own, specialTokens);
    const path = join(directory, 'tokenizer_config.json');
    const source = defaultTemplate(path, readJsonObject(path)?.['chat_template']);
    return source === null ? null : new ChatTemplate(path, source, specialTokens);
  }

  render(given: readonly ChatMessage[], { addGenerationPrompt, continueFinal, tools = null }: RenderOptions): string {
    const messages = this.#spoken(given, tools);
    const own = tools?.format === this.toolFormat ? (tools?.definitions ?? null) : null;
    const last = messages.at(-1);
    if (!last) throw refused(messages, 'there are no messages', 'Send at least one.');
    if (!continueFinal) return this.#run(messages, addGenerationPrompt, own);
    if (addGenerationPrompt) {
      const problem = 'the last message cannot be continued and followed by a new turn at once';
      throw refused(messages, problem, 'Set only one of add_generation_prompt and continue_final_message.');
    }
    const marked = this.#run([...messages.slice(0, -1), { ...last, content: last.content + openEnd }], false, own);
    const at = marked.lastIndexOf(openEnd.trimEnd());
    if (at < 0) throw refused(messages, 'the chat template leaves the last message out', 'Do not continue it.');
    // The mark ends in a space: where the template trims messages it is gone, and so is the space that the message itself ends in.
    return marked.startsWith(openEnd, at) ? marked.slice(0, at) : marked.slice(0, at).trimEnd();
  }

  /** The whole conversation around the assistant's next turn. */
  frame(given: readonly ChatMessage[]): TurnFrame {
    const messages = this.#spoken(given, null);
    const content = `${space}${mark}${space}`;
    const text = this.#run([...messages, { role: 'assistant', content }], false);
    const at = text.lastIndexOf(mark);
    if (at < 0) throw refused(messages, 'the chat template leaves the answer out', 'Use another model to score.');
    const trims = !text.startsWith(content, at - space.length);
    const around = trims ? 0 : space.length;
    return { before: text.slice(0, at - around), after: text.slice(at + mark.length + around), trims };
  }

  /** As they are where the template writes this tool format; otherwise as text. */
  #spoken(messages: readonly ChatMessage[], tools: RenderOptions['tools']): readonly ChatMessage[] {
    const speaksOfTools = messages.some(({ role, tool_calls: calls }) => role === 'tool' || calls !== undefined);
    if (!tools && !speaksOfTools) return messages;
    const format = tools?.format ?? this.toolFormat ?? genericFormat.name;
    return format === this.toolFormat
      ? messages
      : plainMessages(messages, formatNamed(format), tools?.definitions ?? []);
  }

  #inParts(message: ChatMessage): object {
    const wanted = this.#parts === 'always' || (this.#parts === 'images' && countMarks(message.content) > 0);
    return wanted ? { ...message, content: partsOf(message.content) } : message;
  }

  #run(messages: readonly ChatMessage[], addGenerationPrompt: boolean, tools: readonly object[] | null = null): string {
    const environment = new Environment();
    const variables = {
      ...globals,
      ...this.specialTokens,
      messages: messages.map((message) => this.#inParts(message)),
      add_generation_prompt: addGenerationPrompt,
      tools,
      documents: null,
    };
    for (const [name, value] of Object.entries(variables)) environment.set(name, value);
    let text: string;
    try {
      text = new Interpreter(environment).run(this.#program).value;
    } catch (error) {
      const said = error instanceof Refusal ? 'refuses these messages' : 'fails on these messages';
      throw refused(
        messages,
        `the chat template ${said}: ${reasonOf(error)}`,
        'Change the roles or their order.',
        error,
      );
    }
    if (text.length > maxTextLength) {
      const problem = `the chat template makes ${text.length} characters of them, the limit is ${maxTextLength}`;
      throw refused(messages, problem, 'Send less.');
    }
    return text;
  }
}

/** Stands at the end of an open message; private-use characters, so no honest message holds it. */
const openEnd = '\uE0F0open end\uE0F1 ';

/** Stands for a turn that is not known yet, between spaces that no template writes by itself. */
const mark = '\uE0F0turn\uE0F1';
const space = '\t\n\t';

const refused = (messages: readonly ChatMessage[], problem: string, remedy: string, cause?: unknown) => {
  const roles = messages.map(({ role }) => role).join(', ');
  return new AppError(
    'invalid_value',
    { param: 'messages', problem, value: `roles: ${roles.slice(0, 200)}`, remedy },
    { cause },
  );
};

/** A string, or a list of named templates of which "default" is the one for plain chat. */
function defaultTemplate(path: string, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  const list = (Array.isArray(value) ? (value as unknown[]) : []).filter(isJsonObject);
  const named = list.find(({ name }) => name === 'default') ?? (list.length === 1 ? list[0] : undefined);
  if (typeof named?.['template'] !== 'string') {
    const names = list.map(({ name }) => String(name)).join(', ');
    throw invalidFile(path, `chat_template holds no template named "default" (${names || 'none'})`, 'Name one so.');
  }
  return named['template'];
}

/** `{% generation %}` marks the assistant's tokens for training; it changes no text. The dashes of the tags do, so they stay. */
const withoutGenerationMarks = (source: string) =>
  source
    .replace(/\{%([-+]?)\s*generation\s*([-+]?)%\}/g, '{%$1 if true $2%}')
    .replace(/\{%([-+]?)\s*endgeneration\s*([-+]?)%\}/g, '{%$1 endif $2%}');

const globals = {
  ...stripFunctions,
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  raise_exception: (message: unknown): never => {
    throw new Refusal(String(message));
  },
  strftime_now: (format: unknown): string => strftime(new Date(), String(format)),
  range: (first: number, second?: number, step = 1): number[] => {
    const [start, stop] = typeof second === 'number' ? [first, second] : [0, first];
    const length = Math.max(0, Math.ceil((stop - start) / step));
    if (!(length <= maxRange)) throw new Error(`range() of ${length} elements, the limit is ${maxRange}`);
    return Array.from({ length }, (_, i) => start + i * step);
  },
};

const months = 'January February March April May June July August September October November December'.split(' ');
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const two = (value: number) => String(value).padStart(2, '0');

/** Python's strftime in the C locale, for the directives that templates use; others stay as they are. */
export function strftime(date: Date, format: string): string {
  const month = months[date.getMonth()] as string;
  const day = days[date.getDay()] as string;
  const parts: Readonly<Record<string, string>> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    e: String(date.getDate()).padStart(2),
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    H: two(date.getHours()),
    I: two(date.getHours() % 12 || 12),
    p: date.getHours() < 12 ? 'AM' : 'PM',
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    '%': '%',
  };
  return format.replace(/%(.)/gs, (directive, letter: string) => parts[letter] ?? directive);
}
