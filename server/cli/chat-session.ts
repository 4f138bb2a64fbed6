// A conversation in the terminal: what a line means (a question, or a command that begins with /), what is asked of the server, and what is
// shown of it. Knows no terminal and no process: chat.ts gives it lines and an output, tests do too.
import {
  AbortedError,
  type ChatRequest,
  type Connection,
  type DecodeStream,
  type LiveStream,
  type Message,
  type Trimtab,
} from '../../clients/typescript/src/index.js';
import { reasonOf } from '../reason.js';
import { AnswerPrinter, traceTable } from './answer-printer.js';
import { findNumber, mergePatches, numbersOf, patchOf, type ChatSettings } from './chat-settings.js';
import { table, type Output, type Style } from './terminal.js';

export interface ChatEnds {
  readonly client: Trimtab;
  /** Null where the server cannot be reached by a websocket: weights then change from one answer to the next. */
  readonly connection: Connection | null;
  readonly out: Output;
  readonly style: Style;
  /** Further fields of every request. */
  readonly fields?: Partial<ChatRequest>;
}

type Command = (words: string) => Promise<void> | void;

export class ChatSession {
  readonly #ends: ChatEnds;
  #settings: ChatSettings;
  #messages: Message[] = [];
  #running: { readonly stream: DecodeStream; readonly live: LiveStream | null } | null = null;
  #last: AnswerPrinter | null = null;
  #wantsEnd = false;
  /** Nothing that was asked has failed. */
  isWell = true;

  constructor(ends: ChatEnds, model: string) {
    this.#ends = ends;
    this.#settings = { model, patch: {}, seed: null, temperature: null, system: null };
  }

  get model(): string {
    return this.#settings.model;
  }

  get isAnswering(): boolean {
    return this.#running !== null;
  }

  /** /quit was said. */
  get wantsEnd(): boolean {
    return this.#wantsEnd;
  }

  /** Ends the answer that runs. */
  abort(): void {
    this.#running?.stream.abort();
  }

  /** Resolves when the line has had its effect; of a question, when the answer has ended. */
  async take(line: string): Promise<void> {
    const text = line.trim();
    if (text === '') return;
    try {
      if (!text.startsWith('/')) return await this.#ask(text);
      const [name = '', ...words] = text.slice(1).split(' ');
      const command = this.#commands[name]?.run;
      if (command === undefined) throw new Error(`There is no command /${name}. /help lists them.`);
      await command(words.join(' ').trim());
    } catch (error) {
      this.isWell = false;
      this.#say(this.#ends.style.red('error: ') + reasonOf(error));
    }
  }

  readonly #commands: Readonly<Record<string, { readonly help: string; readonly run: Command }>> = {
    help: { help: 'this list', run: () => this.#help() },
    models: { help: 'what can be talked to', run: () => this.#listModels() },
    model: { help: '/model NAME: talk to this one from now on', run: (name) => this.#useModel(name) },
    weight: {
      help: '/weight 2: steer with this weight, also while an answer is being written',
      run: (value) => this.#set(`weight ${value}`),
    },
    set: {
      help: '/set NAME NUMBER: the same for any number of the spec; without arguments, list them',
      run: (words) => this.#set(words),
    },
    plain: { help: 'ask the last question again of the first model alone, unsteered', run: () => this.#askPlainly() },
    again: { help: 'ask the last question again', run: () => this.#askAgain(this.#settings) },
    explain: {
      help: 'what is computed, and the most steered tokens of the last answer; /explain all for all tokens',
      run: (words) => this.#explain(words === 'all'),
    },
    seed: {
      help: '/seed 7: the same answer every time; /seed without a number: a fresh one',
      run: (n) => this.#seed(n),
    },
    temperature: { help: '/temperature 0: always the likeliest token', run: (n) => this.#temperature(n) },
    system: { help: '/system TEXT: what stands before the conversation', run: (text) => this.#system(text) },
    clear: { help: 'forget the conversation', run: () => this.#clear() },
    quit: { help: 'end the chat (Ctrl-D too)', run: () => void (this.#wantsEnd = true) },
  };

  #say(text: string): void {
    this.#ends.out.write(`${text}\n`);
  }

  async #ask(question: string): Promise<void> {
    if (this.isAnswering) throw new Error('An answer is being written. Ctrl-C ends it.');
    this.#messages.push({ role: 'user', content: question });
    const printer = await this.#answer(this.#settings);
    // A question without an answer would make the next one a part of it.
    if (printer.text === '') this.#messages.pop();
    else this.#messages.push({ role: 'assistant', content: printer.text });
  }

  async #askAgain(settings: ChatSettings): Promise<void> {
    if (this.isAnswering) throw new Error('An answer is being written. Ctrl-C ends it.');
    const asked = this.#messages.findLastIndex(({ role }) => role === 'user');
    if (asked === -1) throw new Error('Nothing has been asked yet.');
    await this.#answer(settings, this.#messages.slice(0, asked + 1));
  }

  async #askPlainly(): Promise<void> {
    const [first] = (await this.#ends.client.explain(this.model)).models;
    if (first === undefined) throw new Error(`${this.model} has no models.`);
    this.#say(this.#ends.style.dim(`${first} alone:`));
    await this.#askAgain({ ...this.#settings, model: first, patch: {} });
  }

  async #answer(settings: ChatSettings, messages: readonly Message[] = this.#messages): Promise<AnswerPrinter> {
    const { client, connection, out, style, fields } = this.#ends;
    const request: ChatRequest = {
      model: settings.model,
      messages: settings.system === null ? messages : [{ role: 'system', content: settings.system }, ...messages],
      decoding_trace: true,
      ...(Object.keys(settings.patch).length > 0 ? { decoding: settings.patch as never } : {}),
      ...(settings.seed === null ? {} : { seed: settings.seed }),
      ...(settings.temperature === null ? {} : { temperature: settings.temperature }),
      ...fields,
    };
    const printer = new AnswerPrinter(out, style);
    const live = connection?.stream(request) ?? null;
    const stream = live ?? client.stream(request);
    this.#running = { stream, live };
    try {
      for await (const event of stream) printer.take(event);
      this.#last = printer;
      this.#say('');
      if (out.isTTY === true) this.#say(printer.closing());
    } catch (error) {
      if (printer.text !== '') this.#say('');
      if (!(error instanceof AbortedError)) throw error;
      this.#say(style.dim('(ended)'));
    } finally {
      this.#running = null;
    }
    return printer;
  }

  async #set(words: string): Promise<void> {
    const [name = '', value = '', ...rest] = words.split(/[\s=]+/).filter((word) => word !== '');
    const { effective } = await this.#ends.client.explain(this.model);
    if (name === '') {
      const numbers = numbersOf(mergePatches(effective as never, this.#settings.patch));
      return this.#say(numbers.length === 0 ? 'There is no number to set.' : numberTable(numbers));
    }
    const found = findNumber(effective, name);
    if (found === undefined) {
      const known = numbersOf(effective).map(({ path }) => path);
      const hint = known.length === 0 ? 'It has none' : `It has ${known.join(', ')}`;
      throw new Error(`${this.model} has no number called ${name}. ${hint}.`);
    }
    if (value === '' || rest.length > 0 || !Number.isFinite(Number(value)))
      throw new Error(`Give one number, e.g. /set ${found.path} ${found.value}.`);
    const patch = patchOf(found.path, Number(value));
    const live = this.#running?.live;
    if (live) {
      const { formula } = await live.update(patch);
      this.#say(this.#ends.style.dim(` ⟨${formula}⟩ `));
    }
    this.#settings = { ...this.#settings, patch: mergePatches(this.#settings.patch, patch) };
    if (!live) this.#say(this.#ends.style.dim(`${found.path} = ${Number(value)}`));
  }

  async #listModels(): Promise<void> {
    const models = await this.#ends.client.models();
    this.#say(table(models.map(({ id, kind }) => [`${id === this.model ? '* ' : '  '}${id}`, kind])));
  }

  async #useModel(name: string): Promise<void> {
    if (name === '') return this.#say(this.model);
    // The server refuses a name that it does not know, and says which ones it does.
    const { formula } = await this.#ends.client.explain(name);
    this.#settings = { ...this.#settings, model: name, patch: {} };
    this.#say(this.#ends.style.dim(`${name} = ${formula}`));
  }

  async #explain(all: boolean): Promise<void> {
    const { client, style } = this.#ends;
    const { model, patch } = this.#settings;
    const isPatched = Object.keys(patch).length > 0;
    const {
      method,
      formula,
      forwards_per_token: forwards,
    } = await (isPatched ? client.explain(patch as never, { model }) : client.explain(model));
    this.#say(
      table([
        ['method', `${method.name}: ${method.summary}`],
        ['formula', style.bold(formula)],
        [
          'forwards per token',
          Object.entries(forwards)
            .map(([name, count]) => `${name} ${count}`)
            .join(', '),
        ],
      ]),
    );
    const traces = this.#last?.traces ?? [];
    if (traces.length === 0) return;
    const shown = all ? traces : traces.toSorted((a, b) => b.kl - a.kl).slice(0, 10);
    const of = `of the last answer, ${this.#last?.report?.formula ?? 'which was ended'}`;
    this.#say(`\n${all ? 'all tokens' : 'the most steered tokens'} ${of}`);
    this.#say(traceTable(shown, style));
  }

  #seed(word: string): void {
    if (word !== '' && !/^\d{1,15}$/.test(word)) throw new Error('Give a whole number, e.g. /seed 7.');
    this.#settings = { ...this.#settings, seed: word === '' ? null : Number(word) };
    this.#say(this.#ends.style.dim(word === '' ? 'a fresh seed for every answer' : `seed ${word}`));
  }

  #temperature(word: string): void {
    const value = Number(word);
    if (word === '' || !(value >= 0 && value <= 2))
      throw new Error('Give a number from 0 to 2, e.g. /temperature 0.7.');
    this.#settings = { ...this.#settings, temperature: value };
    this.#say(this.#ends.style.dim(`temperature ${value}`));
  }

  #system(text: string): void {
    this.#settings = { ...this.#settings, system: text === '' ? null : text };
    this.#say(this.#ends.style.dim(text === '' ? 'no system message' : 'system message set'));
  }

  #clear(): void {
    this.#messages = [];
    this.#last = null;
    this.#say(this.#ends.style.dim('forgotten'));
  }

  #help(): void {
    this.#say(table(Object.entries(this.#commands).map(([name, { help }]) => [`/${name}`, help])));
    this.#say('Ctrl-C ends an answer, Ctrl-D the chat.');
  }
}

const numberTable = (numbers: ReturnType<typeof numbersOf>): string =>
  table(numbers.map(({ path, value }) => [path, String(value)]));
