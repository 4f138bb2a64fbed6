// A thread that renders chat templates and tokenises, one job after the other, so that a job's time is its own. A job that takes too long
// loses the thread (nothing else ends a loop inside a template) and a fresh one takes over. Called by text.ts.
import { Piscina } from 'piscina';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import type { TextAnswer, TextJob, TextModel, TextWorkerData } from './text-jobs.js';

/** What an error says about a job that took too long. */
export interface JobSize {
  readonly param: string;
  readonly value: string;
  /** Characters or tokens. */
  readonly length: number;
}

const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/server/models/text-worker.js' : './text-worker.js',
  import.meta.url,
);
/** Long honest prompts take about 0.003 ms per character. */
const msPerUnit = 0.01;
/** Several tokenizers of 256k tokens fit; a template that fills memory does not. */
const heapMegabytes = 2048;
const SLOW_REMEDY =
  'Send less text. If a short one takes as long, the chat template of the model does not come to an end.';

export class TextThread {
  readonly #pool: Piscina<TextJob, TextAnswer>;
  readonly #timeoutMs: number;
  #tail: Promise<unknown> = Promise.resolve();
  /** False until the thread has loaded its files, again after it was ended: loading does not count as a job's time. */
  #isReady = false;

  constructor(models: readonly TextModel[], timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#pool = new Piscina<TextJob, TextAnswer>({
      filename: workerUrl.href,
      minThreads: 1,
      maxThreads: 1,
      workerData: { models } satisfies TextWorkerData,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
    });
  }

  /** After those before it. `size` null: as long as it takes. */
  async run(job: TextJob, size: JobSize | null): Promise<TextAnswer> {
    const run = this.#tail.then(() => this.#runNow(job, size));
    this.#tail = run.then(
      () => undefined,
      () => undefined,
    );
    return run;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #runNow(job: TextJob, size: JobSize | null): Promise<TextAnswer> {
    try {
      if (!this.#isReady) await this.#pool.run({ kind: 'facts', model: job.model });
      this.#isReady = true;
      return await (size === null ? this.#pool.run(job) : this.#runWithin(job, size));
    } catch (error) {
      if (error instanceof AppError) throw error;
      this.#isReady = false;
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
      this.#isReady = false;
      const problem = `turning it into tokens takes longer than ${timeoutMs} ms`;
      throw new AppError('invalid_value', { param, problem, value, remedy: SLOW_REMEDY }, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}
