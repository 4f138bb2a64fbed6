// What sources of scores say of answers: texts become token rows on their model, go through its forwards with everybody else's, and come
// back as a few numbers. Equal texts are read once (an lru-cache over all requests); texts of one request share the keys and values of what
// they have in common. Knows no search. Owned by a Run.
import { LRUCache } from 'lru-cache';
import type { ScoreSource } from '../../decoders/plan.js';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import type { Frame, SearchJob } from '../wire/decode.js';
import type { EngineModel } from './model.js';
import { View, type LogitsRef } from './view.js';

/** Tokenisers by model, for texts that are made while decoding. */
export interface SourceText {
  encode(model: string, text: string, addSpecialTokens: boolean): Int32Array;
}

/** Asks an endpoint that the operator configured. Rejects when it fails or takes too long. */
export type AskEndpoint = (
  endpoint: string,
  body: { readonly messages: SearchJob['messages']; readonly answer: string },
  signal: AbortSignal,
) => Promise<readonly number[]>;

/** What all requests share. */
export interface ReadServices {
  readonly text: SourceText;
  readonly askEndpoint: AskEndpoint;
  readonly known: ReadCache;
}

const KNOWN_READINGS = 50_000;

/** Numbers by (source, tokens). */
export class ReadCache {
  readonly #numbers = new LRUCache<string, readonly number[]>({ max: KNOWN_READINGS });

  get(key: string): readonly number[] | undefined {
    return this.#numbers.get(key);
  }

  set(key: string, numbers: readonly number[]): void {
    this.#numbers.set(key, numbers);
  }
}

export class Reading {
  readonly source: ScoreSource;
  readonly key: string;
  readonly ids: Int32Array;
  /** Tokens whose log-probabilities are asked for; empty where the row itself is. */
  readonly options: readonly number[];
  /** Null until they are there. */
  numbers: readonly number[] | null = null;
  /** What went wrong instead. */
  failure: string | null = null;
  view: View | null = null;
  /** Readings that began together have equal ones. */
  batch = 0;

  constructor(source: ScoreSource, key: string, ids: Int32Array, options: readonly number[]) {
    this.source = source;
    this.key = key;
    this.ids = ids;
    this.options = options;
  }
}

/** A common beginning shorter than this is not worth a forward's wait. */
const WORTH_WAITING = 16;

export class Reads {
  readonly #job: SearchJob;
  readonly #models: readonly (EngineModel | null)[];
  readonly #rows: (model: EngineModel) => number;
  readonly #services: ReadServices;
  readonly #aborts = new AbortController();
  #open: Reading[] = [];
  /** By model: a finished reading whose row later ones continue. */
  readonly #anchors = new Map<EngineModel, { readonly view: View; readonly batch: number }>();
  #batch = 0;
  #asked = 0;
  #cached = 0;
  /** Endpoints that have not answered; settles when any does. */
  #external: Promise<void> | null = null;

  /** `models`: parallel to the plan's sources; null for endpoints. `rows`: of each model, for all readings and the text they continue. */
  constructor(
    job: SearchJob,
    models: readonly (EngineModel | null)[],
    rows: (model: EngineModel) => number,
    services: ReadServices,
  ) {
    this.#job = job;
    this.#models = models;
    this.#rows = rows;
    this.#services = services;
  }

  get counts(): { readonly read: number; readonly readCached: number } {
    return { read: this.#asked, readCached: this.#cached };
  }

  /** Readings with a row, which the tick feeds. */
  get fed(): readonly Reading[] {
    return this.#open.filter(({ view }) => view?.row);
  }

  get failure(): string | null {
    return this.#open.find(({ failure }) => failure !== null)?.failure ?? null;
  }

  /** Nothing is being read. */
  get isIdle(): boolean {
    return this.#open.length === 0;
  }

  /** Settles when an endpoint has answered; null when none is asked or a model is. */
  get onlyExternal(): Promise<void> | null {
    return this.#open.length > 0 && this.#open.every(({ source }) => source.kind === 'http') ? this.#external : null;
  }

  /** Asks a source about an answer's text. */
  open(source: number, variant: number, answer: string): Reading {
    const what = this.#job.plan.sources[source];
    if (!what) throw new Error(`the plan has no source ${source}`);
    this.#asked++;
    if (what.kind === 'http') return this.#external0(what, answer);
    const model = this.#models[source];
    const frame = this.#job.frames[source]?.[variant];
    if (!model || !frame) throw new Error(`source ${source} has no variant ${variant}`);
    const { ids, options } = this.#tokens(what, model, frame, answer);
    if (ids.length > model.info.contextLength)
      throw new AppError('context_length_exceeded', {
        param: 'decoding',
        promptTokens: ids.length,
        maxTokens: 0,
        model: model.name,
        contextLength: model.info.contextLength,
      });
    const key = `${what.kind} ${model.name} ${options.join(',')} ${ids.join(',')}`;
    const known = this.#services.known.get(key);
    const shared = this.#open.find((reading) => reading.key === key);
    if (known || shared) this.#cached++;
    if (shared) return shared;
    const reading = new Reading(what, key, ids, options);
    if (known) reading.numbers = known;
    // No text has no embedding.
    else if (ids.length === 0) reading.numbers = [];
    else this.#open.push(reading);
    return reading;
  }

  /** Gives rows to what waits: the first text of a model goes alone where the others can continue its row. */
  start(): void {
    this.#batch++;
    for (const reading of this.#open) {
      const model = this.#modelOf(reading);
      if (!model || reading.view) continue;
      const anchor = this.#anchors.get(model);
      if (!this.#hasRoom(model)) continue;
      if (reading.source.kind === 'embedding') {
        // All positions have a say, so none can be taken from a row that another text has left.
        reading.view = new View(model, reading.ids, [], 1 - reading.ids.length);
        reading.view.wantsHidden = true;
        reading.view.claim();
      } else if (anchor) reading.view = anchor.view.continued(reading.ids);
      else if (!this.#leads(model, reading)) continue;
      else {
        reading.view = new View(model, reading.ids, [], 0);
        reading.view.claim();
      }
      const { options } = reading;
      if (options.length > 0) reading.view.asked = { ids: options, vocabSize: model.table.size };
      reading.batch = this.#batch;
    }
  }

  /** Takes the numbers of what has been read. */
  take(): void {
    for (const reading of this.#open) {
      const { view } = reading;
      const logits = view?.logits(0);
      if (!view || !logits) continue;
      const numbers = reading.source.kind === 'embedding' ? meanHidden(view) : numbersOf(reading, logits);
      if (numbers.some((number) => Number.isNaN(number))) reading.failure = `${reading.source.kind} gave NaN`;
      else {
        reading.numbers = numbers;
        this.#services.known.set(reading.key, numbers);
      }
      this.#keepOrRelease(reading);
    }
    this.#open = this.#open.filter(({ numbers }) => numbers === null);
  }

  /** Rows go back; what was not read is read again later. */
  pause(): void {
    for (const reading of this.#open) {
      reading.view?.release();
      reading.view = null;
    }
    for (const { view } of this.#anchors.values()) view.release();
    this.#anchors.clear();
  }

  /** Nobody waits for the answers any more. */
  drop(): void {
    this.#aborts.abort();
    this.pause();
    this.#open = [];
  }

  /** Keeps what was computed for later requests that are judged alike. */
  store(): void {
    for (const { view } of this.#anchors.values()) view.store();
  }

  #modelOf(reading: Reading): EngineModel | null {
    return this.#models[this.#job.plan.sources.indexOf(reading.source)] ?? null;
  }

  /** Is a row left for one more reading, beside that of the text which others continue? */
  #hasRoom(model: EngineModel): boolean {
    const taken = this.#open.filter(({ view }) => view?.model === model).length;
    return taken + 1 < this.#rows(model);
  }

  /** Is nothing on the way that this text could continue? */
  #leads(model: EngineModel, reading: Reading): boolean {
    return !this.#open.some(
      (other) =>
        other.view !== null &&
        this.#modelOf(other) === model &&
        commonLength(other.ids, reading.ids) - other.view.cachedTokens >= WORTH_WAITING,
    );
  }

  #keepOrRelease(reading: Reading): void {
    const { view } = reading;
    if (!view) return;
    reading.view = null;
    const anchor = this.#anchors.get(view.model);
    const isOver = reading.source.kind === 'embedding' || reading.failure !== null;
    if (isOver || (anchor && anchor.batch >= reading.batch)) {
      view.release();
      return;
    }
    anchor?.view.release();
    this.#anchors.set(view.model, { view, batch: reading.batch });
  }

  #tokens(
    source: ScoreSource,
    model: EngineModel,
    { before, after, trims, addSpecialTokens }: Frame,
    answer: string,
  ): { ids: Int32Array; options: readonly number[] } {
    const text = before + (trims ? answer.trim() : answer) + after;
    const tokens = (whole: string): Int32Array => this.#services.text.encode(model.name, whole, addSpecialTokens);
    const encode = (whole: string): Int32Array => nonEmpty(tokens(whole));
    if (source.kind === 'embedding') return { ids: tokens(text), options: [] };
    if (source.kind !== 'judge') return { ids: encode(text), options: [] };
    // An option's token is what follows where all of them still agree: it may be joined to the template's last character.
    const wholes = source.options.map((option) => encode(text + option));
    const [first = encode(text)] = wholes;
    const shared = wholes.reduce((length, ids) => Math.min(length, commonLength(first, ids)), first.length);
    const options = wholes.map((ids) => ids[shared] ?? -1);
    if (shared === 0 || new Set(options).size < options.length || options.includes(-1))
      throw new AppError('invalid_value', {
        param: 'decoding',
        problem: `the options of a judge must begin with different tokens of ${model.name}`,
        value: source.options.join(', '),
        remedy: 'Use labels such as A and B, and end the template right before them.',
      });
    return { ids: first.slice(0, shared), options };
  }

  #external0(source: Extract<ScoreSource, { kind: 'http' }>, answer: string): Reading {
    const key = `http ${source.endpoint} ${JSON.stringify([this.#job.messages, answer])}`;
    const shared = this.#open.find((reading) => reading.key === key);
    const reading = shared ?? new Reading(source, key, new Int32Array(0), []);
    const known = this.#services.known.get(key);
    if (known || shared) this.#cached++;
    if (known) reading.numbers = known;
    if (known || shared) return reading;
    this.#open.push(reading);
    const { messages } = this.#job;
    const answered = this.#services.askEndpoint(source.endpoint, { messages, answer }, this.#aborts.signal).then(
      (numbers) => {
        if (numbers.some((number) => !Number.isFinite(number))) reading.failure = `${source.endpoint} gave no number`;
        else {
          reading.numbers = numbers;
          this.#services.known.set(key, numbers);
        }
      },
      (error: unknown) => {
        reading.failure = `${source.endpoint}: ${reasonOf(error)}`;
      },
    );
    const waited = this.#external;
    this.#external = waited ? Promise.race([waited, answered]) : answered;
    void answered.then(() => (this.#external = null));
    return reading;
  }
}

/** The mean of the last hidden states over a text that has been taken in whole. */
function meanHidden(view: View): readonly number[] {
  const mean: number[] = [];
  const { length } = view.promptIds;
  for (let position = 1 - length; position <= 0; position++) {
    const ref = view.logits(position);
    const hidden = ref?.batch.hidden;
    if (!ref || !hidden) throw new Error(`no hidden state at position ${position}`);
    for (let i = 0; i < hidden.width; i++)
      mean[i] = (mean[i] ?? 0) + (hidden.data[ref.row * hidden.width + i] ?? NaN) / length;
  }
  return mean;
}

function numbersOf({ options, view }: Reading, { batch, row }: LogitsRef): readonly number[] {
  const told = batch.logprobs?.get(row);
  if (told) return told;
  if (!(batch.data instanceof Float32Array)) throw new Error('the numbers of a reading stayed on the device');
  const logits = batch.data.subarray(row * batch.width, (row + 1) * batch.width);
  if (logits.length !== batch.width) throw new Error(`a reading of ${logits.length} numbers instead of ${batch.width}`);
  if (options.length === 0) return [...logits];
  // Padding of the vocabulary is no token.
  const tokens = logits.subarray(0, view?.model.table.size ?? batch.width);
  let most = -Infinity;
  for (const logit of tokens) most = Math.max(most, logit);
  let sum = 0;
  for (const logit of tokens) sum += Math.exp(logit - most);
  const total = most + Math.log(sum);
  return options.map((id) => (tokens[id] ?? NaN) - total);
}

function commonLength(a: Int32Array, b: Int32Array): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length++;
  return length;
}

function nonEmpty(ids: Int32Array): Int32Array {
  if (ids.length === 0)
    throw new AppError('invalid_value', {
      param: 'decoding',
      problem: 'a source of scores has nothing to read',
      value: 'no tokens',
      remedy: 'Give its template some text.',
    });
  return ids;
}
