// A model's text → what it says and what it calls, as it comes: the other direction of grammar.ts. What begins like a call and is none stays
// text. One parser per choice; fed by the chat dialect.
import { CallScanner } from './call-scanner.js';
import type { ToolFormat } from './format.js';

export type ToolEvent =
  | { readonly kind: 'content'; readonly text: string }
  | { readonly kind: 'call'; readonly index: number; readonly name: string }
  | { readonly kind: 'arguments'; readonly index: number; readonly text: string };

/** How calls are read from an answer's text. */
export interface ToolReading {
  readonly format: ToolFormat;
  /** Functions that may be called; what calls another is text. */
  readonly names: readonly string[];
}

/** Llama's control token before code or a call: it is no text. */
const PYTHON_TAG = '<|python_tag|>';

export class ToolParser {
  readonly #format: ToolFormat;
  readonly #names: readonly string[];
  #text = '';
  #phase: 'start' | 'content' | 'list' | 'call' | 'close' | 'between' = 'start';
  #scanner: CallScanner | null = null;
  #calls = 0;
  /** The call that is being read has been told. */
  #isTold = false;
  /** What to give back as text should the call be none. */
  #before = '';
  #events: ToolEvent[] = [];

  constructor({ format, names }: ToolReading) {
    this.#format = format;
    this.#names = names;
  }

  /** Calls that have been told. */
  get calls(): number {
    return this.#calls;
  }

  push(text: string): readonly ToolEvent[] {
    this.#text += text;
    while (this.#step(false));
    return this.#take();
  }

  /** No more text will come. */
  end(): readonly ToolEvent[] {
    while (this.#step(true));
    if (this.#scanner && !this.#isTold) this.#content(this.#before + this.#scanner.raw);
    if (this.#phase === 'start' || this.#phase === 'content') this.#content(this.#text);
    this.#text = '';
    this.#scanner = null;
    return this.#take();
  }

  /** One thing after the other; false where more text is needed. */
  #step(isLast: boolean): boolean {
    switch (this.#phase) {
      case 'start':
        return this.#begin(isLast);
      case 'content':
        return this.#say(isLast);
      case 'list':
        return this.#openList();
      case 'call':
        return this.#call();
      case 'close':
        return this.#close(isLast);
      case 'between':
        return this.#next(isLast);
      default:
        return this.#phase satisfies never;
    }
  }

  /** Without a marker the first character decides. */
  #begin(isLast: boolean): boolean {
    if (this.#format.marker !== null) {
      this.#phase = 'content';
      return true;
    }
    const rest = this.#text.trimStart();
    if (!isLast && PYTHON_TAG.startsWith(rest)) return false;
    const own = rest.startsWith(PYTHON_TAG) ? rest.slice(PYTHON_TAG.length).trimStart() : rest;
    if (own === '' && !isLast) return false;
    if (!own.startsWith('{')) this.#phase = 'content';
    else {
      this.#before = this.#text.slice(0, this.#text.length - own.length);
      this.#text = own;
      this.#open();
    }
    return true;
  }

  /** Text up to the next marker. What may be the beginning of one, and space before it, waits. */
  #say(isLast: boolean): boolean {
    const { marker, end } = this.#format;
    if (marker === null) {
      this.#content(this.#text);
      this.#text = '';
      return false;
    }
    const at = this.#text.indexOf(marker);
    if (at >= 0) {
      const said = this.#text.slice(0, at);
      this.#content(said.trimEnd());
      this.#before = said.slice(said.trimEnd().length) + marker;
      this.#text = this.#text.slice(at + marker.length);
      if (end === null) this.#phase = 'list';
      else this.#open();
      return true;
    }
    const held = isLast ? 0 : heldLength(this.#text, marker);
    this.#content(this.#text.slice(0, this.#text.length - held));
    this.#text = this.#text.slice(this.#text.length - held);
    return false;
  }

  #openList(): boolean {
    const rest = this.#text.trimStart();
    if (rest === '') return false;
    if (!rest.startsWith('[')) {
      this.#giveBack('');
      return true;
    }
    this.#before += this.#text.slice(0, this.#text.length - rest.length + 1);
    this.#text = rest.slice(1);
    this.#open();
    return true;
  }

  #open(): void {
    this.#scanner = new CallScanner();
    this.#isTold = false;
    this.#phase = 'call';
  }

  #call(): boolean {
    const scanner = this.#scanner as CallScanner;
    if (this.#text === '') return false;
    const taken = scanner.push(this.#text, ({ name, arguments: more }) => {
      if (name !== null && !this.#names.includes(name)) scanner.state = 'broken';
      else if (name !== null) {
        this.#isTold = true;
        this.#events.push({ kind: 'call', index: this.#calls++, name });
      } else if (this.#isTold) this.#events.push({ kind: 'arguments', index: this.#calls - 1, text: more });
    });
    this.#text = this.#text.slice(taken);
    if (scanner.state === 'open') return this.#text !== '';
    if (scanner.state === 'broken' && !this.#isTold) {
      const { raw } = scanner;
      this.#scanner = null;
      this.#giveBack(raw);
    } else {
      this.#scanner = null;
      this.#before = '';
      this.#phase = this.#format.end === null ? 'between' : 'close';
    }
    return true;
  }

  /** It was no call after all. */
  #giveBack(raw: string): void {
    this.#content(this.#before + raw);
    this.#before = '';
    this.#phase = 'content';
  }

  #close(isLast: boolean): boolean {
    const end = this.#format.end ?? '';
    const rest = this.#text.trimStart();
    if (end.startsWith(rest)) return isLast || rest === end ? this.#pass('') : false;
    return this.#pass(rest.startsWith(end) ? rest.slice(end.length) : rest);
  }

  #pass(rest: string): boolean {
    this.#text = rest;
    this.#phase = 'between';
    return true;
  }

  /** After a call: another one, or text. */
  #next(isLast: boolean): boolean {
    const rest = this.#text.trimStart();
    if (rest === '') return false;
    const { marker, end } = this.#format;
    if (marker !== null && end !== null) {
      if (!isLast && marker.startsWith(rest) && rest !== marker) return false;
      this.#text = rest.startsWith(marker) ? rest : this.#text;
      this.#phase = 'content';
      return true;
    }
    if (rest.startsWith(',') || rest.startsWith(';')) {
      this.#before = rest[0] ?? '';
      this.#text = rest.slice(1);
      this.#open();
      return true;
    }
    this.#text = rest.startsWith(']') ? rest.slice(1) : rest;
    if (this.#text === '') return false;
    this.#phase = 'content';
    return true;
  }

  #content(text: string): void {
    if (text === '') return;
    this.#events.push({ kind: 'content', text });
  }

  #take(): readonly ToolEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

/** Characters at the end that must wait: space, and the beginning of a marker. */
function heldLength(text: string, marker: string): number {
  let held = Math.min(text.length, marker.length - 1);
  while (held > 0 && !marker.startsWith(text.slice(-held))) held--;
  const said = text.slice(0, text.length - held);
  return held + said.length - said.trimEnd().length;
}
