// Asks a running server many things at once, over its own API as any client would, and keeps what a figure needs: the text, whether the
// model ended by itself, tokens, forwards and time. Knows the wire format, nothing of the world.
import Type from 'typebox';
import { Value } from 'typebox/value';
import type { Served } from './board.js';
import type { Answer, Message } from '../../models/pocket/world/part.js';

export interface Question {
  /** As the API has them: a text, or parts of which some are pictures. */
  readonly messages: readonly (Message | { readonly role: 'user'; readonly content: readonly object[] })[];
}

export interface AskOptions {
  readonly model: string;
  /** Replaces or changes the model's own decoding, as the API has it. */
  readonly decoding?: object;
  /** 0, greedy, unless given. */
  readonly temperature?: number;
  readonly maxTokens?: number;
  /** Goes on after the end token, to `maxTokens`: for timing. */
  readonly ignoreEnd?: boolean;
  /** Added to the place of the question, so that each has randomness of its own. */
  readonly seed: number;
}

export interface Reply extends Answer {
  readonly completionTokens: number;
  /** Decoder rows per model, prompt included. */
  readonly forwards: Readonly<Record<string, number>>;
}

export interface Ask {
  /** In the order of the questions. Rejects with the server's own words when one is refused. */
  all(questions: readonly Question[], options: AskOptions): Promise<Reply[]>;
  /** Log-probabilities of the likeliest tokens that may follow each plain text, by their text. */
  next(texts: readonly string[], model: string): Promise<ReadonlyMap<string, number>[]>;
}

const ChatBody = Type.Object({
  choices: Type.Array(
    Type.Object({
      message: Type.Object({ content: Type.Union([Type.String(), Type.Null()]) }),
      finish_reason: Type.String(),
    }),
    { minItems: 1 },
  ),
  usage: Type.Object({ completion_tokens: Type.Number() }),
  decoding: Type.Object({ forwards: Type.Record(Type.String(), Type.Number()) }),
});

const CompletionBody = Type.Object({
  choices: Type.Array(
    Type.Object({
      logprobs: Type.Object({ top_logprobs: Type.Array(Type.Record(Type.String(), Type.Number()), { minItems: 1 }) }),
    }),
    { minItems: 1 },
  ),
});

const ModelList = Type.Object({ data: Type.Array(Type.Object({ id: Type.String() })) });
const MethodList = Type.Object({ data: Type.Array(Type.Object({ name: Type.String() })) });

const MAX_TOKENS = 72;
/** What the API gives at most. */
const TOP_TOKENS = 5;

export function askAt(url: string, concurrency: number, onAnswer: () => void): Ask {
  const answered = async <T extends Type.TSchema>(schema: T, path: string, body: object): Promise<Type.Static<T>> => {
    const reply = await requestJson(url, path, schema, body);
    onAnswer();
    return reply;
  };
  return {
    all: (questions, { model, decoding, temperature, maxTokens, ignoreEnd, seed }) =>
      inFlight(questions, concurrency, async ({ messages }, index) => {
        const {
          choices,
          usage,
          decoding: done,
        } = await answered(ChatBody, '/v1/chat/completions', {
          model,
          messages,
          temperature: temperature ?? 0,
          max_tokens: maxTokens ?? MAX_TOKENS,
          ignore_eos: ignoreEnd ?? false,
          seed: seed + index,
          ...(decoding === undefined ? {} : { decoding }),
        });
        const [choice] = choices;
        return {
          text: choice?.message.content ?? '',
          ended: choice?.finish_reason === 'stop',
          completionTokens: usage.completion_tokens,
          forwards: done.forwards,
        };
      }),
    next: (texts, model) =>
      inFlight(texts, concurrency, async (prompt) => {
        const asked = { model, prompt, max_tokens: 1, temperature: 0, logprobs: TOP_TOKENS };
        const { choices } = await answered(CompletionBody, '/v1/completions', asked);
        return new Map(Object.entries(choices[0]?.logprobs.top_logprobs[0] ?? {}));
      }),
  };
}

/** The names of models and deployments, and of decoding methods. */
export async function servedAt(url: string): Promise<Served> {
  const models = await requestJson(url, '/v1/models', ModelList);
  const methods = await requestJson(url, '/v1/decoding/methods', MethodList);
  return { models: models.data.map(({ id }) => id), methods: methods.data.map(({ name }) => name) };
}

/** The same, but what was answered once is not asked again: several rows measure the same plain models on the same tasks. */
export function remembering(ask: Ask): Ask {
  const replies = new Map<string, Promise<Reply[]>>();
  return {
    ...ask,
    all(questions, options) {
      const key = JSON.stringify([options, questions.map(({ messages }) => messages)]);
      const known = replies.get(key) ?? ask.all(questions, options);
      replies.set(key, known);
      return known;
    },
  };
}

async function requestJson<T extends Type.TSchema>(
  url: string,
  path: string,
  schema: T,
  body?: object,
): Promise<Type.Static<T>> {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(new URL(path, url), body === undefined ? {} : post);
  const text = await response.text();
  // Others are served first: what is asked here is in no hurry.
  if (response.status === 503 && response.headers.has('retry-after')) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get('retry-after'))));
    return requestJson(url, path, schema, body);
  }
  if (!response.ok) throw new Error(`${path}: HTTP ${response.status}: ${text.slice(0, 400)}`);
  const parsed: unknown = JSON.parse(text);
  if (!Value.Check(schema, parsed)) throw new Error(`${path}: not an answer of this API: ${text.slice(0, 400)}`);
  return parsed;
}

async function inFlight<Q, A>(
  questions: readonly Q[],
  concurrency: number,
  answer: (question: Q, index: number) => Promise<A>,
): Promise<A[]> {
  const answers = new Map<number, A>();
  const left = questions.entries();
  const worker = async (): Promise<void> => {
    for (const [index, question] of left) answers.set(index, await answer(question, index));
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, questions.length) }, worker));
  return [...answers].sort(([a], [b]) => a - b).map(([, reply]) => reply);
}
