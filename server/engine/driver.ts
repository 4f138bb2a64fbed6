// Drives one search: takes what it asks for, answers at once what needs no forward, keeps the rest as asks, and resumes it when all answers
// of a step are there. Knows no rows and no models; the choice that owns it does the work (host).
import type { BudgetSpent, ScorerFailed, Search, SearchAnswer, SearchRequest } from '../../decoders/search.js';
import type { Ask } from './ask.js';

export type OneRequest = Exclude<SearchRequest, { readonly kind: 'all' }>;

export interface Host {
  /** Does what can be done now, or says what has to be waited for. */
  open(request: OneRequest): { readonly now: SearchAnswer } | { readonly ask: Ask };
}

/** A request on its way to its answer. */
type Cell =
  | { readonly kind: 'now'; readonly answer: SearchAnswer }
  | { readonly kind: 'ask'; readonly ask: Ask }
  | { readonly kind: 'all'; readonly cells: readonly Cell[] };

export class Driver {
  readonly #search: Search;
  readonly #host: Host;
  /** What the search waits for; null before it has begun and after it has ended. */
  #cell: Cell | null = null;
  ended = false;

  constructor(search: Search, host: Host) {
    this.#search = search;
    this.#host = host;
  }

  /** Runs the search up to its first question that takes time. */
  begin(): void {
    this.#goOn(this.#search.next());
  }

  /** Goes on if the step is whole; true when the search has moved. */
  resume(): boolean {
    if (this.#cell === null || !isAnswered(this.#cell)) return false;
    const answer = valueOf(this.#cell);
    this.#cell = null;
    this.#goOn(this.#search.next(answer));
    return true;
  }

  /** Throws into the search; true where it goes on with something else. */
  interrupt(reason: BudgetSpent | ScorerFailed): boolean {
    this.#cell = null;
    try {
      this.#goOn(this.#search.throw(reason));
      return !this.ended;
    } catch (error) {
      this.ended = true;
      if (error !== reason) throw error;
      return false;
    }
  }

  /** Whoever drives no longer asks. */
  stop(): void {
    if (!this.ended) this.#search.return(undefined);
    this.ended = true;
    this.#cell = null;
  }

  #goOn(first: IteratorResult<SearchRequest, void>): void {
    let step = first;
    while (step.done !== true) {
      const cell = this.#open(step.value);
      if (!isAnswered(cell)) {
        this.#cell = cell;
        return;
      }
      step = this.#search.next(valueOf(cell));
    }
    this.ended = true;
  }

  #open(request: SearchRequest): Cell {
    if (request.kind === 'all') return { kind: 'all', cells: request.requests.map((each) => this.#open(each)) };
    const opened = this.#host.open(request);
    return 'ask' in opened ? { kind: 'ask', ask: opened.ask } : { kind: 'now', answer: opened.now };
  }
}

function answerOf(ask: Ask): SearchAnswer {
  return ask.kind === 'read' ? ask.reading.numbers : ask.answer;
}

function isAnswered(cell: Cell): boolean {
  switch (cell.kind) {
    case 'now':
      return true;
    case 'ask':
      return answerOf(cell.ask) !== null;
    case 'all':
      return cell.cells.every(isAnswered);
    default:
      return cell satisfies never;
  }
}

function valueOf(cell: Cell): SearchAnswer {
  switch (cell.kind) {
    case 'now':
      return cell.answer;
    case 'ask':
      return answerOf(cell.ask);
    case 'all':
      return cell.cells.map(valueOf);
    default:
      return cell satisfies never;
  }
}
