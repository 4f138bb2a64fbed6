// From a checked body to DecodeRequests: defaults, the bounds that depend on model and configuration, and the prompt ids of each
// view. Everything a client can ask wrongly that a schema cannot express is refused here, before anything is allocated.
import { randomInt } from 'node:crypto';
import type { Grammar } from '../../decoders/constraint/grammar.js';
import type { HttpConfig, ResolvedStrategy } from '../context.js';
import { AppError } from '../errors.js';
import type { DecodeRequest, LogprobsParams, SamplingParams } from '../wire/decode.js';
import type { ReplyHead } from '../wire/reply.js';
import type { SharedRequest } from '../wire/sampling.js';
import type { ToolReading } from '../tools/parser.js';
import type { PreparedSearch } from './search-job.js';
import { invalid } from '../wire/refusals.js';

/** Below this a softmax is an argmax in float32, and its reciprocal would not be finite. */
const coldest = 1e-4;

export function checkId(param: string, id: number, strategy: ResolvedStrategy): void {
  if (id >= 0 && id < strategy.vocabSize) return;
  throw new AppError('token_out_of_range', {
    param,
    value: id,
    model: strategy.tokenizerModel,
    last: strategy.vocabSize - 1,
  });
}

export function promptFromIds(ids: readonly number[], strategy: ResolvedStrategy, param = 'prompt'): Int32Array {
  for (const id of ids) checkId(param, id, strategy);
  return Int32Array.from(ids);
}

function logitBias(body: SharedRequest, strategy: ResolvedStrategy): [number, number][] {
  return Object.entries(body.logit_bias ?? {}).map(([key, bias]) => {
    if (!/^\d{1,10}$/.test(key)) {
      throw invalid('logit_bias', 'has a key that is no token id', key, 'Use token ids as keys, e.g. {"42": -100}.');
    }
    checkId('logit_bias', Number(key), strategy);
    return [Number(key), bias];
  });
}

function sampling(body: SharedRequest, strategy: ResolvedStrategy): SamplingParams {
  const { defaults } = strategy;
  const temperature = body.temperature ?? defaults.temperature ?? 1;
  return {
    temperature: temperature < coldest ? 0 : temperature,
    topK: Math.max(0, body.top_k ?? defaults.topK ?? 0),
    topP: body.top_p ?? defaults.topP ?? 1,
    minP: body.min_p ?? defaults.minP ?? 0,
    repetitionPenalty: body.repetition_penalty ?? defaults.repetitionPenalty ?? 1,
    presencePenalty: body.presence_penalty ?? defaults.presencePenalty ?? 0,
    frequencyPenalty: body.frequency_penalty ?? defaults.frequencyPenalty ?? 0,
    logitBias: logitBias(body, strategy),
  };
}

function stopTokenIds(body: SharedRequest, strategy: ResolvedStrategy): number[] {
  for (const id of body.stop_token_ids ?? []) checkId('stop_token_ids', id, strategy);
  const end = body.ignore_eos === true ? [] : strategy.eosTokenIds;
  return [...new Set([...end, ...(body.stop_token_ids ?? [])])];
}

/** Seeds of up to 32 bits stand for themselves; the high bits of longer ones are mixed in. */
export function foldSeed(seed: number): number {
  const high = Math.floor(seed / 2 ** 32);
  return (seed ^ Math.imul(high, 0x9e3779b1)) >>> 0;
}

/** The same for every prompt when given; otherwise one per prompt, or equal prompts would get equal answers. */
export function seeds(body: SharedRequest, prompts: number): number[] {
  return Array.from({ length: prompts }, () => (body.seed === undefined ? randomInt(2 ** 32) : foldSeed(body.seed)));
}

export interface Length {
  /** What the client asked for; null when it left that out. */
  readonly asked: number | null;
  /** Used when nothing was asked for, cut to what is left; null: all that is left. */
  readonly fallback: number | null;
  /** The field that holds the prompt, for messages. */
  readonly param: 'prompt' | 'messages' | 'input';
}

/** Room for the answer to one prompt, whose views have `promptTokens` tokens; of unstated length it has `share` at most. */
function maxTokensFor(promptTokens: number, length: Length, share: number, strategy: ResolvedStrategy): number {
  const rest = strategy.contextLength - promptTokens;
  const needed = length.asked ?? 1;
  if (needed > rest) {
    throw new AppError('context_length_exceeded', {
      param: length.param,
      promptTokens,
      maxTokens: needed,
      model: strategy.name,
      contextLength: strategy.contextLength,
    });
  }
  return length.asked ?? Math.max(1, Math.min(length.fallback ?? rest, rest, share));
}

/** A body that was read, whatever it is answered with. */
export interface ReadBody {
  readonly head: ReplyHead;
  readonly strategy: ResolvedStrategy;
  /** One per prompt. */
  readonly requests: readonly DecodeRequest[];
  readonly logprobs: LogprobsParams | null;
  /** Ids of prompt and answer are to be told. */
  readonly tokenIds: boolean;
  /** What they are, per prompt: the client's own, or those of the first view's template. */
  readonly promptIds: readonly Int32Array[];
  /** The text of each prompt where it is repeated. */
  readonly echo: readonly string[] | null;
  /** Where calls of tools are to be read from the text. */
  readonly tools?: ToolReading | null;
}

export interface Parts {
  readonly id: string;
  readonly body: SharedRequest;
  readonly strategy: ResolvedStrategy;
  /** Per prompt, per view. */
  readonly prompts: readonly (readonly Int32Array[])[];
  /** Per view, of a single prompt; null or left out: there are none. */
  readonly images?: DecodeRequest['images'] | null;
  /** Per prompt. */
  readonly searches: readonly (PreparedSearch | null)[];
  readonly length: Length;
  readonly logprobs: LogprobsParams | null;
  /** What answers have to be. */
  readonly constraint?: Grammar | null;
  /** Control tokens that print their name. */
  readonly shownTokenIds?: readonly number[];
  readonly config: HttpConfig;
}

export function decodeRequests({
  id,
  body,
  strategy,
  prompts,
  images = null,
  searches,
  length,
  logprobs,
  constraint = null,
  shownTokenIds = [],
  config,
}: Parts): DecodeRequest[] {
  const n = body.n ?? 1;
  if (body.decoding_trace === true && config.traceTokens === 0) {
    throw new AppError('not_supported', {
      param: 'decoding_trace',
      value: true,
      remedy: 'The operator has set limits.traceTokens to 0.',
    });
  }
  if (n > config.maxN) throw invalid('n', `must be at most ${config.maxN}`, n, 'Lower n or raise limits.maxN.');
  if (body.stream !== true && body.stream_options !== undefined) {
    throw invalid('stream_options', 'is allowed only with "stream": true', body.stream_options, 'Leave it out.');
  }
  if (body.stream_options?.include_obfuscation === true) {
    const remedy = 'Events are never padded: leave it out.';
    throw new AppError('not_supported', { param: 'stream_options.include_obfuscation', value: true, remedy });
  }
  for (const ids of prompts.flat()) {
    if (ids.length === 0) throw invalid(length.param, 'has no tokens', '', 'Send at least one token of text.');
  }

  const withDefault: Length = { ...length, fallback: strategy.defaults.maxTokens ?? length.fallback };
  // An answer of unstated length never breaks the budget: it gets its share.
  const share = Math.floor(config.tokensPerRequest / (n * prompts.length));
  const maxTokens = prompts.map((views, prompt) => {
    const most = Math.min(share, searches[prompt]?.room ?? Infinity);
    return maxTokensFor(Math.max(...views.map((ids) => ids.length)), withDefault, most, strategy);
  });
  const asked = n * maxTokens.reduce((sum, tokens) => sum + tokens, 0);
  if (asked > config.tokensPerRequest) {
    const param = n > 1 ? 'n' : 'max_tokens';
    throw new AppError('budget_exceeded', { param, asked, budget: config.tokensPerRequest });
  }

  const minTokens = body.min_tokens ?? 0;
  const shortest = Math.min(...maxTokens);
  if (minTokens > shortest) {
    throw invalid(
      'min_tokens',
      `exceeds the ${shortest} tokens to generate`,
      minTokens,
      'Lower it or raise max_tokens.',
    );
  }

  const shared = {
    distribution: strategy.distribution,
    tokenizer: strategy.tokenizerModel,
    vocabSize: strategy.vocabSize,
    n,
    sampling: sampling(body, strategy),
    minTokens,
    stop: [...new Set([body.stop ?? []].flat())],
    includeStop: body.include_stop_str_in_output ?? false,
    stopTokenIds: stopTokenIds(body, strategy),
    ...(body.ignore_eos === true ? { ignoresEos: true } : {}),
    logprobs,
    speculation: strategy.speculation,
    constraint,
    shownTokenIds,
    traceLimit: body.decoding_trace === true ? config.traceTokens : 0,
    priority: body.priority ?? 0,
  };
  const seedOf = seeds(body, prompts.length);
  return prompts.map((promptIds, index) => ({
    ...shared,
    requestId: `${id}-${index}`,
    ...(index > 0 ? { follows: true } : {}),
    promptIds,
    ...(images ? { images } : {}),
    search: searches[index]?.job ?? null,
    seed: seedOf[index]!,
    maxTokens: maxTokens[index]!,
  }));
}
