// Schemas → grammars for the main thread, which never compiles one itself: a thread of its own does, within a time limit that nothing in a
// schema can move. Compiled ones are kept. Knows no vocabulary: the engine turns grammars into masks. Called by the HTTP routes.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Piscina } from 'piscina';
import type { Grammar } from '../../decoders/constraint/grammar.js';
import { CONSTRAINT_LIMITS } from '../../decoders/constraint/problem.js';
import { AppError } from '../errors.js';
import { wellFormed } from '../wire/shown.js';
import type { ConstraintAnswer, ConstraintJob, NamedJob } from './jobs.js';

export interface ConstraintServiceOptions {
  /** Wall-clock limit of one job. */
  readonly timeoutMs?: number;
  /** Jobs that may wait; more are refused. */
  readonly maxWaiting?: number;
  /** Of compiled grammars, those asked for last; 64 MiB. */
  readonly keptBytes?: number;
}

const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/server/constraint/worker.js' : './worker.js',
  import.meta.url,
);
const heapMegabytes = 512;
/** Grammars are a few ten kilobytes; large ones some megabytes. */
const mostKeptBytes = 64 * 1024 * 1024;

export class ConstraintService {
  readonly #pool: Piscina<NamedJob, ConstraintAnswer>;
  readonly #timeoutMs: number;
  readonly #maxWaiting: number;
  readonly #kept: LRUCache<string, Grammar>;
  readonly #running = new Map<string, Promise<ConstraintAnswer>>();
  /** No thread has run yet, or the last one was ended. */
  #isCold = true;
  /** Jobs run one after the other, so a job's time is its own. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor({ timeoutMs = 1000, maxWaiting = 64, keptBytes = mostKeptBytes }: ConstraintServiceOptions = {}) {
    this.#kept = new LRUCache({ maxSize: keptBytes, sizeCalculation: sizeOf });
    this.#timeoutMs = timeoutMs;
    this.#maxWaiting = maxWaiting;
    this.#pool = new Piscina<NamedJob, ConstraintAnswer>({
      filename: workerUrl.href,
      minThreads: 1,
      maxThreads: 1,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
    });
  }

  /** `param`: the field that holds what is compiled, for messages. Throws AppError. */
  async compile(job: ConstraintJob, param: string): Promise<Grammar> {
    const text = JSON.stringify(job);
    if (text.length > CONSTRAINT_LIMITS.characters)
      throw new AppError('invalid_value', {
        param,
        problem: `must have at most ${CONSTRAINT_LIMITS.characters} characters`,
        value: text.length,
        remedy: 'Use a smaller schema.',
      });
    const key = createHash('sha256').update(text).digest('base64');
    const known = this.#kept.get(key);
    if (known) return known;
    const answer = await this.#answer(key, job, param);
    if (answer.kind === 'grammar') {
      this.#kept.set(key, answer.grammar);
      return answer.grammar;
    }
    const { path, problem, value, remedy } = answer;
    throw new AppError('invalid_value', { param: param + shortened(path), problem, value, remedy });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  /** Equal ones that come at once are compiled once. */
  #answer(key: string, job: ConstraintJob, param: string): Promise<ConstraintAnswer> {
    const shared = this.#running.get(key);
    if (shared) return shared;
    if (this.#running.size >= this.#maxWaiting)
      throw new AppError('queue_full', { waiting: this.#running.size, limit: this.#maxWaiting, retryAfterSeconds: 1 });
    const run = this.#tail.then(() => this.#run({ key, job }, param));
    this.#tail = run.catch(() => undefined);
    this.#running.set(key, run);
    return run.finally(() => this.#running.delete(key));
  }

  async #run(named: NamedJob, param: string): Promise<ConstraintAnswer> {
    // A thread's own start is not the job's time, and on a busy machine it alone may take the limit.
    if (this.#isCold) await this.#pool.run({ key: '', job: { kind: 'schema', schema: { type: 'null' } } });
    this.#isCold = false;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), this.#timeoutMs);
    try {
      return await this.#pool.run(named, { signal: limit.signal });
    } catch (cause) {
      const memory = (cause as NodeJS.ErrnoException | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
      if (!limit.signal.aborted && !memory) throw cause;
      this.#isCold = true;
      const problem = memory
        ? 'takes too much memory to compile'
        : `takes longer than ${this.#timeoutMs} ms to compile`;
      const details = { param, problem, value: 'too large', remedy: 'Use a smaller schema, or simpler patterns.' };
      throw new AppError('invalid_value', details, { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Names of properties are the client's, and may be long. */
function shortened(path: string): string {
  return path.length > 200 ? `…${wellFormed(path.slice(-200))}` : wellFormed(path);
}

function sizeOf({ lexemes, nodes }: Grammar): number {
  const bytes = lexemes.map((lexeme) => {
    if (lexeme.kind === 'table') return lexeme.next.byteLength + lexeme.accepts.byteLength + 256;
    return lexeme.kind === 'literal' ? lexeme.bytes.length : 16;
  });
  return bytes.reduce((sum, size) => sum + size, 64 * nodes.length + 64);
}
