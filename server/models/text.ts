// Text ↔ ids for the main thread, which never does it itself: threads of their own render chat templates and tokenise. Long texts have one
// for themselves, for a short one should not wait the seconds that they take. Called by the HTTP routes.
import { AppError } from '../errors.js';
import { readCheckpoint, stopTokenIds } from './checkpoint.js';
import { invalidFile } from './json-file.js';
import type { ChatMessage, RenderOptions, TurnFrame } from './template.js';
import type { TextAnswer, TextJob, TextModel, TokenizerFacts, VocabularyDifference } from './text-jobs.js';
import { TextThread, type JobSize } from './text-thread.js';

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

/** Characters or tokens of a long text: they take some 0.1 s. */
const LONG = 32_768;

export class TextService {
  readonly #thread: TextThread;
  /** Started when the first long text comes: it holds all tokenizers once more. */
  #longThread: TextThread | null = null;
  readonly #toolFormats = new Map<string, TokenizerFacts['toolFormat']>();
  readonly #models: readonly TextModel[];
  readonly #timeoutMs: number;
  readonly #maxWaiting: number;
  #waiting = 0;

  constructor(models: readonly TextModel[], { timeoutMs = 2000, maxWaiting = 1024 }: TextServiceOptions = {}) {
    this.#models = models;
    this.#timeoutMs = timeoutMs;
    this.#maxWaiting = maxWaiting;
    this.#thread = new TextThread(models, timeoutMs);
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
    await Promise.all([this.#thread.close(), this.#longThread?.close()]);
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
    let answer: TextAnswer;
    try {
      answer = await this.#threadFor(size).run(job, size);
    } finally {
      this.#waiting -= 1;
    }
    if (answer.kind === 'error') throw AppError.fromData(answer.error);
    return answer;
  }

  #threadFor(size: JobSize | null): TextThread {
    if (size === null || size.length < LONG) return this.#thread;
    return (this.#longThread ??= new TextThread(this.#models, this.#timeoutMs));
  }
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
