// Reads one call, {"name": …, "arguments": {…}}, from text that comes in pieces, and tells the arguments as they come. Knows no format around
// it. Used by parser.ts.

export interface CallPiece {
  /** The function's name, once, as soon as it is known. */
  readonly name: string | null;
  /** More of the arguments' JSON. */
  readonly arguments: string;
}

const ARGUMENT_KEYS = ['arguments', 'parameters'];
const isSpace = (character: string): boolean => /\s/.test(character);

export class CallScanner {
  state: 'open' | 'done' | 'broken' = 'open';
  /** Everything read so far. */
  raw = '';
  #name: string | null = null;
  #isTold = false;
  #pending = '';
  #phase: 'brace' | 'key' | 'colon' | 'value' | 'after' = 'brace';
  #key = '';
  #token = '';
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  /** Takes characters up to the call's end; returns how many. */
  push(text: string, into: (piece: CallPiece) => void): number {
    let taken = 0;
    let fresh = '';
    for (const character of text) {
      if (this.state !== 'open') break;
      taken += character.length;
      this.raw += character;
      fresh += this.#take(character);
    }
    this.#pending += fresh;
    if (this.#name !== null && !this.#isTold) {
      this.#isTold = true;
      into({ name: this.#name, arguments: '' });
    }
    if (this.#isTold && this.#pending !== '') {
      into({ name: null, arguments: this.#pending });
      this.#pending = '';
    }
    return taken;
  }

  /** What of the arguments this character adds. */
  #take(character: string): string {
    switch (this.#phase) {
      case 'brace':
        if (character === '{') this.#phase = 'key';
        else if (!isSpace(character)) this.state = 'broken';
        return '';
      case 'key':
        if (this.#token === '' && isSpace(character)) return '';
        if (this.#token === '' && character !== '"') this.#break();
        else if (this.#isStringOver(character)) {
          this.#key = this.#parsed();
          this.#phase = 'colon';
        }
        return '';
      case 'colon':
        if (character === ':') this.#phase = 'value';
        else if (!isSpace(character)) this.#break();
        return '';
      case 'value':
        return this.#value(character);
      case 'after':
        if (character === ',') this.#phase = 'key';
        else if (character === '}') this.#finish();
        else if (!isSpace(character)) this.#break();
        return '';
      default:
        return this.#phase satisfies never;
    }
  }

  #value(character: string): string {
    if (this.#token === '' && isSpace(character)) return '';
    // A number or a word ends where something else begins.
    if (this.#depth === 0 && !this.#inString && this.#token !== '' && /[,}\s]/.test(character)) {
      this.#endValue();
      return this.#take(character);
    }
    const told = ARGUMENT_KEYS.includes(this.#key) ? character : '';
    const isOver = this.#isValueOver(character);
    if (isOver) this.#endValue();
    return told;
  }

  #isValueOver(character: string): boolean {
    if (this.#inString || (this.#depth === 0 && this.#token === '' && character === '"')) {
      const isOver = this.#isStringOver(character);
      return isOver && this.#depth === 0;
    }
    this.#token += character;
    if (character === '"') this.#inString = true;
    else if (character === '{' || character === '[') this.#depth++;
    else if (character === '}' || character === ']') return --this.#depth === 0;
    return false;
  }

  /** Within a string, or at its opening quote. */
  #isStringOver(character: string): boolean {
    const isFirst = !this.#inString;
    this.#token += character;
    this.#inString = true;
    if (isFirst) return false;
    if (this.#isEscaped) this.#isEscaped = false;
    else if (character === '\\') this.#isEscaped = true;
    else if (character === '"') {
      this.#inString = false;
      return true;
    }
    return false;
  }

  #endValue(): void {
    if (this.#key === 'name') {
      const name = this.#parsed();
      if (this.state === 'open') this.#name = name;
    }
    this.#token = '';
    this.#phase = 'after';
  }

  #parsed(): string {
    const text = this.#token;
    this.#token = '';
    try {
      return String(JSON.parse(text));
    } catch {
      this.#break();
      return '';
    }
  }

  #finish(): void {
    this.state = this.#name === null ? 'broken' : 'done';
  }

  #break(): void {
    this.state = 'broken';
  }
}
