// Text ↔ ids for the main thread, which never does it itself: a thread of its own renders chat templates and tokenises. A job that
// takes too long loses its thread (nothing else ends a loop inside a template) and a fresh one takes over. Called by the HTTP routes.
import { Piscina } from 'piscina';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { readCheckpoint, stopTokenIds } from './checkpoint.js';
import { invalidFile } from './json-file.js';
import type { ChatMessage, RenderOptions, TurnFrame } from './template.js';
import type {
  TextAnswer,
  TextJob,
  TextModel,
  TextWorkerData,
  TokenizerFacts,
  VocabularyDifference,
} from './text-jobs.js';

export interface TextModelInfo {
  /** Of the tokenizer, without padding. */
  readonly vocabSize: number;
  /** Equal exactly when two models' ids mean the same pieces. */
  readonly vocabularyHash: string;
  readonly eosTokenIds: readonly number[];
  readonly bosTokenId: number | null;
  readonly hasChatTemplate: boolean;
  /** False for a classification head, which gives scores. */
  readonly predictsTokens: boolean;
  /** Of the checkpoint; the config may serve less. */
  readonly contextLength: number;
  /** Names of a classification head's scores, in their order; empty for a model that predicts tokens. */
  readonly heads: readonly string[];
  /** By the name of every model with another vocabulary: where the two part. */
  readonly differences: ReadonlyMap<string, VocabularyDifference>;
  /** Null where it reads no pictures: what its tower takes. */
  readonly vision: VisionFacts | null;
}

export interface VisionFacts {
  /** The checkpoint's folder, where its preprocessor is described. */
  readonly path: string;
  /** Pixels a side. */
  readonly imageSize: number;
  /** Names of the projections beside the checkpoint's own projector. */
  readonly projections: readonly string[];
}

export interface TextServiceOptions {
  /** Wall-clock limit of one job, to which every thousand characters or tokens add 10 ms. */
  readonly timeoutMs?: number;
  /** Jobs that may wait; more are refused. */
  readonly maxWaiting?: number;
}

const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/server/models/text-worker.js' : './text-worker.js',
  import.meta.url,
);
/** Long honest prompts take about 0.003 ms per character. */
const msPerUnit = 0.01;
/** Several tokenizers of 256k tokens fit; a template that fills memory does not. */
const heapMegabytes = 2048;

export class TextService {
  readonly #pool: Piscina<TextJob, TextAnswer>;
  readonly #toolFormats = new Map<string, TokenizerFacts['toolFormat']>();
  readonly #models: readonly TextModel[];
  readonly #timeoutMs: number;
  readonly #maxWaiting: number;
  /** Jobs run one after the other, so a job's time is its own and not that of those before it. */
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** False until the thread has loaded its files, again after it was ended: loading does not count as a job's time. */
  #threadReady = false;

  constructor(models: readonly TextModel[], { timeoutMs = 2000, maxWaiting = 1024 }: TextServiceOptions = {}) {
    this.#models = models;
    this.#timeoutMs = timeoutMs;
    this.#maxWaiting = maxWaiting;
    this.#pool = new Piscina<TextJob, TextAnswer>({
      filename: workerUrl.href,
      minThreads: 1,
      maxThreads: 1,
      workerData: { models } satisfies TextWorkerData,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
    });
  }

  /** What the files of each model say, by name. Throws the first model's error. */
  async load(): Promise<ReadonlyMap<string, TextModelInfo>> {
    const info = new Map<string, TextModelInfo>();
    for (const { name, path } of this.#models) {
      const checkpoint = readCheckpoint(path);
      const facts = await this.#facts(name);
      this.#toolFormats.set(name, facts.toolFormat);
      checkSizes(path, facts.vocabSize, checkpoint.spec.vocabSize);
      info.set(name, {
        vocabSize: facts.vocabSize,
        vocabularyHash: facts.vocabularyHash,
        eosTokenIds: stopTokenIds(checkpoint, facts.eosTokenId),
        bosTokenId: facts.bosTokenId,
        hasChatTemplate: facts.hasChatTemplate,
        predictsTokens: checkpoint.spec.head.kind === 'lm',
        contextLength: checkpoint.spec.contextLength,
        heads: checkpoint.spec.head.kind === 'lm' ? [] : checkpoint.spec.head.labels,
        differences: new Map(),
        vision: checkpoint.spec.vision
          ? {
              path,
              imageSize: checkpoint.spec.vision.tower.imageSize,
              projections: [...checkpoint.projections.keys()],
            }
          : null,
      });
    }
    for (const [name, facts] of info) {
      const others = [...info].filter(([, other]) => other.vocabularyHash !== facts.vocabularyHash);
      const found = others.map(async ([other]) => [other, await this.#difference(name, other)] as const);
      info.set(name, { ...facts, differences: new Map(await Promise.all(found)) });
    }
    return info;
  }

  async encode(model: string, text: string, options: { readonly addSpecialTokens: boolean }): Promise<Int32Array> {
    const limit = { param: 'prompt', value: `${text.length} characters`, length: text.length };
    return this.#ids({ kind: 'encode', model, text, addSpecialTokens: options.addSpecialTokens }, limit);
  }

  async encodeChat(model: string, messages: readonly ChatMessage[], options: RenderOptions): Promise<Int32Array> {
    const length = messages.reduce((sum, { content }) => sum + content.length, 0);
    const limit = { param: 'messages', value: `${messages.length} messages of ${length} characters`, length };
    const { addGenerationPrompt, continueFinal, tools } = options;
    return this.#ids(
      { kind: 'chat', model, messages, options: { addGenerationPrompt, continueFinal, tools: tools ?? null } },
      limit,
    );
  }

  /** Known once the files are loaded. */
  toolFormat(model: string): TokenizerFacts['toolFormat'] {
    const known = this.#toolFormats.get(model);
    if (!known) throw new Error(`the files of ${model} are not loaded`);
    return known;
  }

  /** What the model's template writes around the assistant's next turn. */
  async frame(model: string, messages: readonly ChatMessage[]): Promise<TurnFrame> {
    const length = messages.reduce((sum, { content }) => sum + content.length, 0);
    const size = { param: 'messages', value: `${messages.length} messages of ${length} characters`, length };
    const answer = await this.#submit({ kind: 'frame', model, messages }, size);
    if (answer.kind !== 'frame') throw new Error(`an answer of kind ${answer.kind} to frame`);
    return answer.frame;
  }

  /** The text of the ids from its beginning. */
  async decode(
    model: string,
    ids: ArrayLike<number>,
    { showSpecialTokens = false }: { readonly showSpecialTokens?: boolean } = {},
  ): Promise<string> {
    const limit = { param: 'prompt', value: `${ids.length} tokens`, length: ids.length };
    const job = { kind: 'decode', model, ids: Int32Array.from(ids), showSpecialTokens } as const;
    const answer = await this.#submit(job, limit);
    if (answer.kind !== 'text') throw new Error(`an answer of kind ${answer.kind} to decode`);
    return answer.text;
  }

  /** The bytes of each id by itself; none where a special token prints nothing. */
  async pieces(model: string, ids: Int32Array): Promise<readonly Uint8Array[]> {
    const limit = { param: 'prompt', value: `${ids.length} tokens`, length: ids.length };
    const answer = await this.#submit({ kind: 'pieces', model, ids }, limit);
    if (answer.kind !== 'pieces') throw new Error(`an answer of kind ${answer.kind} to pieces`);
    return answer.pieces;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #ids(job: TextJob, limit: JobSize): Promise<Int32Array> {
    const answer = await this.#submit(job, limit);
    if (answer.kind !== 'ids') throw new Error(`an answer of kind ${answer.kind} to ${job.kind}`);
    return answer.ids;
  }

  async #facts(model: string): Promise<TokenizerFacts> {
    // Without a limit: the first answer waits for the thread to load its files.
    const answer = await this.#submit({ kind: 'facts', model }, null);
    if (answer.kind !== 'facts') throw new Error(`an answer of kind ${answer.kind} to facts`);
    return answer.facts;
  }

  async #difference(model: string, other: string): Promise<VocabularyDifference> {
    const answer = await this.#submit({ kind: 'difference', model, other }, null);
    if (answer.kind !== 'difference') throw new Error(`an answer of kind ${answer.kind} to difference`);
    return answer.difference;
  }

  async #submit(job: TextJob, size: JobSize | null): Promise<Exclude<TextAnswer, { kind: 'error' }>> {
    if (this.#waiting >= this.#maxWaiting) {
      const details = { waiting: this.#waiting, limit: this.#maxWaiting, retryAfterSeconds: 1 };
      throw new AppError('queue_full', details);
    }
    this.#waiting += 1;
    const run = this.#tail.then(() => this.#run(job, size));
    this.#tail = run.then(
      () => undefined,
      () => undefined,
    );
    let answer: TextAnswer;
    try {
      answer = await run;
    } finally {
      this.#waiting -= 1;
    }
    if (answer.kind === 'error') throw AppError.fromData(answer.error);
    return answer;
  }

  async #run(job: TextJob, size: JobSize | null): Promise<TextAnswer> {
    try {
      if (!this.#threadReady) await this.#pool.run({ kind: 'facts', model: job.model });
      this.#threadReady = true;
      return await (size === null ? this.#pool.run(job) : this.#runWithin(job, size));
    } catch (error) {
      if (error instanceof AppError) throw error;
      this.#threadReady = false;
      throw new AppError('engine_failed', { reason: `the text thread ended: ${reasonOf(error)}` }, { cause: error });
    }
  }

  async #runWithin(job: TextJob, { param, value, length }: JobSize): Promise<TextAnswer> {
    const limit = new AbortController();
    const timeoutMs = Math.round(this.#timeoutMs + length * msPerUnit);
    const timer = setTimeout(() => limit.abort(), timeoutMs);
    try {
      return await this.#pool.run(job, { signal: limit.signal });
    } catch (error) {
      if (!limit.signal.aborted) throw error;
      this.#threadReady = false;
      const problem = `turning it into tokens takes longer than ${timeoutMs} ms`;
      throw new AppError('invalid_value', { param, problem, value, remedy: 'Send less text.' }, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What an error says about a job that took too long. */
interface JobSize {
  readonly param: string;
  readonly value: string;
  readonly length: number;
}

/** Ids that the tokenizer gives and the embedding lacks would end in the middle of a forward. */
function checkSizes(path: string, tokenizerSize: number, modelSize: number): void {
  if (tokenizerSize <= modelSize) return;
  throw invalidFile(
    path,
    `tokenizer.json has ${tokenizerSize} tokens, but config.json has a vocab_size of ${modelSize}`,
    'Use the tokenizer that belongs to the model.',
  );
}
