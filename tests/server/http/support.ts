// The HTTP layer on a scripted engine: what the engine would say is data, so that wire shapes, bytes and failures are exact. Tokens are
// the 256 bytes (id = byte) plus 256 = <eos>; the prompt "hi" has the ids of its bytes. The real engine has its own tests.
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../../../server/app.js';
import compile from '../../../server/constraint/worker.js';
import type {
  ConstraintCompiler,
  AppContext,
  Catalog,
  ChatEncoding,
  ChatMessage,
  Engine,
  EngineState,
  HttpConfig,
  ResolvedStrategy,
  TextService,
} from '../../../server/context.js';
import { AppError } from '../../../server/errors.js';
import type { DecodeEvent, DecodeRequest, FinishReason, Grant, TokenRecord } from '../../../server/wire/decode.js';

export const eos = 256;
export const vocabSize = 257;

export const config: HttpConfig = {
  version: '0.0.0-test',
  strict: false,
  bodyBytes: 64 * 1024,
  requestTimeoutMs: 5000,
  connectionTimeoutMs: 0,
  keepAliveTimeoutMs: 5000,
  pingMs: 10_000,
  writeTimeoutMs: 10_000,
  maxN: 8,
  maxPrompts: 4,
  tokensPerRequest: 2000,
  websocket: {
    origins: ['https://page.example'],
    connections: 8,
    decodes: 4,
    messageBytes: 64 * 1024,
    messagesPerSecond: 1000,
    queueBytes: 64 * 1024,
    idleMs: 10_000,
    pauseMs: 10_000,
  },
  auth: { keys: [], openMetrics: false },
  traceTokens: 4,
  logLevel: 'silent',
};

/** Compiles in this thread. */
export const constraints: ConstraintCompiler = {
  compile: async (job, param) => {
    const answer = compile({ key: JSON.stringify(job), job });
    if (answer.kind === 'grammar') return answer.grammar;
    const { path, problem, value, remedy } = answer;
    throw new AppError('invalid_value', { param: param + path, problem, value, remedy });
  },
};

const utf8 = (text: string): Int32Array => Int32Array.from(Buffer.from(text));

/** One rendering per model, so that a test sees which template a view got. */
export function rendered(model: string, messages: readonly ChatMessage[], encoding: ChatEncoding): string {
  const turns = messages.map(({ role, content }) => `${role}:${content}`).join('|');
  return `${model}<${turns}>${encoding.addGenerationPrompt ? 'assistant:' : ''}${encoding.continueFinal ? '~' : ''}`;
}

export const text: TextService = {
  encode: async (_model, string, { addSpecialTokens }) =>
    addSpecialTokens || string !== '' ? utf8(string) : new Int32Array(),
  encodeChat: async (model, messages, encoding) => utf8(rendered(model, messages, encoding)),
  decode: async (_model, ids, { showSpecialTokens } = { showSpecialTokens: false }) => {
    const spelt = Array.from(ids, (id) => (id < eos ? [id] : showSpecialTokens ? [...Buffer.from('<eos>')] : []));
    return Buffer.from(Uint8Array.from(spelt.flat())).toString();
  },
  pieces: async (_model, ids) => Array.from(ids, (id) => Uint8Array.from(id < eos ? [id] : [])),
  toolFormat: () => ({ format: 'hermes', markerId: null }),
  frame: async (model, messages) => {
    const [before = '', after = ''] = rendered(model, [...messages, { role: 'assistant', content: '\0' }], {
      addGenerationPrompt: false,
      continueFinal: false,
    }).split('\0');
    return { before, after, trims: false };
  },
};

const logits = (model: string) => ({ kind: 'logits', view: { model, prompt: 'default' } }) as const;

function strategy(name: string, models: readonly string[]): ResolvedStrategy {
  return {
    name,
    method: models.length === 1 ? 'plain' : 'eft',
    distribution:
      models.length === 1
        ? logits(models[0]!)
        : {
            kind: 'linear',
            terms: models.map((model, index) => ({ weight: index === 2 ? -1 : 1, of: logits(model) })),
          },
    search: null,
    views: models.map((model) => ({ model, prompt: 'default' })),
    prompts: new Map([['default', { kind: 'own' }]]),
    speculation: null,
    tokenizerModel: models[0]!,
    contextLength: 100,
    vocabSize,
    eosTokenIds: [eos],
    parameters: models.length === 1 ? {} : { weight: 1, form: 'proxy' },
    models,
    defaults: name === 'steered' ? { temperature: 0.7, maxTokens: 9 } : {},
  };
}

const served: Readonly<Record<string, ResolvedStrategy>> = {
  bytes: strategy('bytes', ['bytes']),
  steered: strategy('steered', ['large', 'chat', 'small']),
};

export const catalog: Catalog = {
  list: () => Object.keys(served).map((id) => ({ id, created: 1, ownedBy: 'trimtab', kind: 'model' })),
  resolve(model, decoding) {
    const found = served[model];
    if (found === undefined) {
      throw new AppError('model_not_found', { param: 'model', model, available: Object.keys(served).join(', ') });
    }
    const unknown = Object.keys(decoding ?? {}).find((key) => !['method', 'weight'].includes(key));
    if (unknown !== undefined) {
      const details = { key: unknown, where: 'decoding', nearest: '', known: 'method, weight' };
      throw new AppError('unknown_key', { ...details, param: `decoding.${unknown}` });
    }
    return found;
  },
  change(strategy, patch) {
    const weight = patch['weight'];
    if (typeof weight !== 'number') throw new AppError('not_changeable', { param: 'decoding', reason: 'of this test' });
    return { ...strategy, parameters: { ...strategy.parameters, weight } };
  },
};

export type Script = (request: DecodeRequest, signal: AbortSignal) => AsyncIterable<DecodeEvent>;

const never = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** Waits until the request is cancelled, as an engine that is busy for long. */
export async function* silent(_request: DecodeRequest, signal: AbortSignal): AsyncGenerator<DecodeEvent> {
  await never(signal);
}

export function token(id: number, options: { logprob?: number; top?: number; full?: boolean } = {}): TokenRecord {
  const logprob = options.logprob ?? -0.5;
  const bytes = id === eos ? new Uint8Array() : Uint8Array.of(id);
  const top = Array.from({ length: options.top ?? 0 }, (_, index) => ({
    id: 65 + index,
    logprob: index === 0 ? -0.25 : Number.NEGATIVE_INFINITY,
    bytes: Uint8Array.of(65 + index),
  }));
  const full = Float32Array.from({ length: vocabSize }, (_, index) => (index === id ? logprob : -8));
  return { id, logprob, bytes, top, ...(options.full === true ? { full } : {}) };
}

export interface Piece {
  readonly choice?: number;
  readonly text: string;
  /** The bytes of the text when left out. */
  readonly ids?: readonly number[];
}

export interface Answer {
  readonly pieces: readonly Piece[];
  readonly reason?: FinishReason;
  readonly stopReason?: string | number | null;
}

/** An engine that gives this answer to every request, with whatever log-probabilities the request asks for. */
export function says({ pieces, reason = 'stop', stopReason = null }: Answer): Script {
  return async function* (request) {
    const top = request.logprobs?.top ?? 0;
    if (request.logprobs?.prompt === true) {
      const tokens = Array.from(request.promptIds[0]!, (id, index) => ({
        ...token(id, { top: index === 0 ? 0 : top }),
        logprob: index === 0 ? null : -1,
      }));
      yield { kind: 'prompt', tokens };
    }
    let completionTokens = 0;
    for (const { choice = 0, text, ids = Array.from(Buffer.from(text)) } of pieces) {
      const tokens = ids.map((id) => token(id, { top, full: request.logprobs?.full ?? false }));
      completionTokens += tokens.length;
      yield { kind: 'delta', choice, text, ids, tokens: request.logprobs ? tokens : [] };
    }
    for (let choice = 0; choice < request.n; choice++) yield { kind: 'finished', choice, reason, stopReason };
    yield {
      kind: 'done',
      usage: { promptTokens: request.promptIds[0]!.length, completionTokens, cachedTokens: 1 },
      timings: { queuedMs: 1, prefillMs: 20, decodeMs: 300 },
      applied: { forwards: { [request.tokenizer]: 7 }, rewinds: 0, fallbacks: {}, preemptions: 0, seed: request.seed },
    };
  };
}

export const hello = says({ pieces: [{ text: 'Hel' }, { text: 'lo' }], stopReason: eos });

export interface Harness {
  readonly app: FastifyInstance;
  /** Every request that reached the engine, with its cancellation. */
  readonly submitted: { readonly request: DecodeRequest; readonly signal: AbortSignal }[];
  /** What was granted, in order. */
  readonly granted: { readonly requestId: string; readonly grant: Grant }[];
  state: EngineState;
}

export async function harness(
  script: Script,
  overrides: Partial<HttpConfig> = {},
  others: Partial<AppContext> = {},
): Promise<Harness> {
  const submitted: Harness['submitted'] = [];
  const granted: Harness['granted'] = [];
  const engine: Engine = {
    submit(request, signal) {
      submitted.push({ request, signal });
      return script(request, signal);
    },
    grant: (requestId, grant) => granted.push({ requestId, grant }),
    change: () => undefined,
    stats: () => ({
      running: 2,
      waiting: 1,
      price: { running: 500, waiting: 70 },
      stepMs: 12.5,
      ticks: 10,
      preemptions: 3,
      promptTokens: 40,
      cachedPromptTokens: 4,
      generatedTokens: 20,
      nanRows: 5,
      cancelled: 0,
      models: {
        bytes: {
          cacheRows: 6,
          cacheTokens: 60,
          cacheBytes: 50,
          cacheCapacityBytes: 200,
          prefixBytes: 8,
          prefixEntries: 1,
        },
      },
      forwards: { bytes: { count: 30, rows: 90, seconds: 1.5 } },
      drafts: { blocks: 0, drafted: 0, accepted: 0 },
      fuseSeconds: 0.25,
      traffic: { uploaded: 700, read: { decision: 320 } },
    }),
    info: [
      {
        name: 'bytes',
        kind: 'causal',
        family: 'llama',
        weights: 'f32',
        device: 'cpu',
        vocabSize,
        contextLength: 100,
        parameters: 1,
        loadMs: 1,
      },
    ],
    get state() {
      return result.state;
    },
  };
  const context: AppContext = { config: { ...config, ...overrides }, engine, catalog, text, constraints, ...others };
  const result: Harness = { app: await buildApp(context), submitted, granted, state: 'ready' };
  return result;
}

export const chat = (fields: object = {}): object => ({
  model: 'bytes',
  messages: [{ role: 'user', content: 'hi' }],
  seed: 7,
  ...fields,
});

export const completion = (fields: object = {}): object => ({ model: 'bytes', prompt: 'hi', seed: 7, ...fields });

export const response = (fields: object = {}): object => ({ model: 'bytes', input: 'hi', seed: 7, ...fields });

/** Everything that differs from run to run, replaced. */
export const normalised = (transcript: string): string =>
  transcript
    .replace(/"(id|item_id)":"(chatcmpl-|cmpl-|resp_|msg_|fc_)[0-9a-f]{32}"/g, '"$1":"$2ID"')
    .replace(/"(id|call_id)":"call_[0-9a-f]{24}"/g, '"$1":"call_ID"')
    .replace(/"(created|created_at|completed_at)":\d+/g, '"$1":0')
    .replace(/"system_fingerprint":"fp_[0-9a-f]{10}"/g, '"system_fingerprint":"fp_X"');

/** The JSON payloads of a stream, without its end mark. */
export const payloads = (transcript: string): Record<string, unknown>[] =>
  transcript
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice('data: '.length)) as Record<string, unknown>);
