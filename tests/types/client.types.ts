// Compile-time tests of the client: specs that make no sense do not type-check, and the types that the package restates are those of the server, both
// ways. Checked by `npm run check`; nothing here runs.
import type WebSocket from 'ws';
import type { Explanation as ServerExplanation, MethodDescription as ServerMethod } from '../../decoders/explain.js';
import type { ChatRequest as ServerChatRequest } from '../../server/wire/chat.js';
import type { CompletionRequest as ServerCompletionRequest } from '../../server/wire/completions.js';
import type { FinishReason as ServerFinishReason } from '../../server/wire/decode.js';
import type { EmbeddingsRequest as ServerEmbeddingsRequest } from '../../server/wire/embeddings.js';
import type {
  DetokenizeRequest as ServerDetokenizeRequest,
  TokenizeRequest as ServerTokenizeRequest,
} from '../../server/wire/tokenize.js';
import type { DecodingReport as ServerReport, WireUsage } from '../../server/wire/reply.js';
import type { SearchTrace as ServerSearchTrace } from '../../decoders/search.js';
import type { WireTokenTrace } from '../../server/wire/trace.js';
import {
  args,
  bestOfN,
  blockwise,
  contrastive,
  dcd,
  dpa,
  eft,
  expr,
  formula,
  fusion,
  guidance,
  plain,
  rain,
  realign,
  rejection,
  scorer,
  speculate,
  staticFusion,
  transferQ,
  Trimtab,
  type ChatRequest,
  type CompletionRequest,
  type DecodingReport,
  type DetokenizeRequest,
  type EmbeddingsRequest,
  type Explanation,
  type FinishReason,
  type Member,
  type MethodDescription,
  type SearchTrace,
  type TokenizeRequest,
  type TokenTrace,
  type Usage,
  type WebSocketConstructor,
} from '../../clients/typescript/src/index.js';

// ---- specs: what makes sense

const steered = eft({ base: 'large', tuned: 'chat', reference: 'small', weight: 0.6 });
const judge = scorer.selfEvaluation({ model: 'large', template: '{answer} (', labels: ['A', 'B'] });
eft({ base: 'large', tuned: [{ model: 'chat', weight: 0.5 }], reference: 'small', form: 'amplified', keep: 0.9 });
guidance({ model: steered, negative_prompt: { system: null }, weight: 1.5 });
fusion({ base: steered, reference: 'small', experts: ['math', 'facts'], bounds: [1, 2] });
staticFusion({ base: 'large', reference: 'small', experts: [{ model: 'math', weight: 1 }] });
realign({ aligned: 'chat', reference: { model: 'small', prompt: 'last_token' } });
contrastive({ expert: 'large', amateur: 'small', form: 'original', plausibility: 0.1 });
dcd({ positive: 'large', negative: plain({ model: 'large', prompt: { text: 'x' } }) });
dpa({ inner: 'dpa', direction: { helpfulness: 0.8, verbosity: -0.6 } });
dpa({ mode: 'experts', experts: { helpful: 'a', brief: steered }, direction: 45 });
formula({ expression: expr.sum([1, 'large'], [-0.6, expr.masked(steered, expr.plausible('large', 0.1))]) });
const classified = formula({
  expression: expr.sum([1, 'large'], [0.5, expr.classifier('polite')], [-1, expr.classifier(judge, 'logit')]),
  candidates: 20,
});
rain(steered, { judge });
rain({ inner: steered, judge: 'harmless', set_tokens: [1, 2] });
bestOfN({ inner: steered, scorer: scorer.reward({ model: 'rm', head: 'helpful' }), n: 4, budget: { forwards: 100 } });
blockwise(dcd({ positive: 'a', negative: 'b' }), { scorer: 'helpful', block: 8 });
rejection({ inner: 'large', scorer: scorer.http({ endpoint: 'mine', range: [0, 1] }) });
args({ inner: 'large', reward: scorer.ensemble({ members: ['a', judge], aggregate: 'min' }) });
transferQ({ proposal: 'large', baseline: steered, reward: 'helpful', transfer: 'indirect', baseline_reward: 'old' });
const direction = dpa({
  mode: 'reward',
  inner: 'large',
  reward: 'rm',
  direction: 90,
  search: { method: 'args', block: 4 },
});
const drafted = speculate(steered, { draft: 'chat', tokens: 4 });

const client = new Trimtab({ baseUrl: 'http://127.0.0.1:8000' });
const messages = [{ role: 'user' as const, content: 'Hi' }];
void client.decode({ model: 'large', messages, decoding: drafted });
void client.decode({ model: 'large', messages, decoding: direction });
void client.decode({ model: 'large', messages, decoding: classified });
void client.stream({ model: 'pocket-eft', prompt: 'It was', decoding: { weight: 0.3 } });
void client.stream({ model: 'large', prompt: [[1, 2], [3]], decoding: { model: 'large', prompt: 'last_token' } });

// ---- specs: nonsense

// @ts-expect-error a tuned model is missing
eft({ base: 'large', reference: 'small' });
// @ts-expect-error a weight is a number
eft({ base: 'large', tuned: 'chat', reference: 'small', weight: '1' });
// @ts-expect-error a field that nobody knows
eft({ base: 'large', tuned: 'chat', reference: 'small', strength: 1 });
// @ts-expect-error what is kept concerns the amplified form
eft({ base: 'large', tuned: 'chat', reference: 'small', keep: 0.9 });
// @ts-expect-error a search is no distribution
eft({ base: rain(steered, { judge }), tuned: 'chat', reference: 'small' });
// @ts-expect-error a search does not run over a search
bestOfN({ inner: rain(steered, { judge }), scorer: 'helpful' });
// @ts-expect-error a direction that is followed by a search is a search
guidance({ model: direction });
// @ts-expect-error a formula with a classifier is a search
guidance({ model: classified });
// @ts-expect-error a classifier is no distribution
expr.union('a', expr.classifier('polite'));
// @ts-expect-error a sum with a classifier is the root
expr.sum([1, 'a'], [1, expr.sum([1, 'b'], [1, expr.classifier('polite')])]);
// @ts-expect-error without a classifier nothing is looked at
formula({ expression: expr.union('a', 'b'), candidates: 20 });
// @ts-expect-error drafts are of the whole distribution
guidance({ model: drafted });
// @ts-expect-error a scorer is no distribution
guidance({ model: judge });
// @ts-expect-error a distribution is no scorer
bestOfN({ inner: 'large', scorer: steered });
// @ts-expect-error nobody judges
rain(steered, {});
// @ts-expect-error a budget has no seconds
rain(steered, { judge, budget: { seconds: 3 } });
// @ts-expect-error one or the other
scorer.reward({ model: 'rm', head: 'helpful', weights: { helpful: 1 } });
// @ts-expect-error a penalty belongs to the aggregate that has one
scorer.ensemble({ members: ['a'], aggregate: 'min', penalty: 1 });
// @ts-expect-error two labels
scorer.selfEvaluation({ model: 'large', template: '{answer}', labels: ['A'] });
// @ts-expect-error the baseline's own reward belongs to indirect transfer
transferQ({ proposal: 'large', baseline: steered, reward: 'helpful', baseline_reward: 'old' });
// @ts-expect-error indirect transfer needs the baseline's own reward
transferQ({ proposal: 'large', baseline: steered, reward: 'helpful', transfer: 'indirect' });
// @ts-expect-error transfer_q needs a baseline, so its name alone does not say enough
dpa({ mode: 'reward', inner: 'large', reward: 'rm', direction: 90, search: 'transfer_q' });
// @ts-expect-error experts belong to the mode that has them
dpa({ inner: 'dpa', direction: 90, experts: { helpful: 'a' } });
// @ts-expect-error a mask is no expression
formula({ expression: expr.plausible('large', 0.1) });
// @ts-expect-error an expression is no mask
expr.masked('large', expr.union('a', 'b'));
// @ts-expect-error a prompt has one key
plain({ model: 'large', prompt: { system: 'a', text: 'b' } });
// @ts-expect-error either messages or a prompt
void client.decode({ model: 'large', messages, prompt: 'It was' });
// @ts-expect-error neither messages nor a prompt
void client.decode({ model: 'large' });
// @ts-expect-error whether it is streamed is said by the method that is called
void client.decode({ model: 'large', messages, stream: true });
// @ts-expect-error a method that nobody knows
void client.decode({ model: 'large', messages, decoding: { method: 'efd', base: 'a' } });
// @ts-expect-error a client has an address
new Trimtab({});

// A value of a spec's type does not slip in where its literal would be refused.
const search = rain(steered, { judge });
// @ts-expect-error a search is no member
const member: Member = search;
void member;

// ---- restated types

type Mutable<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer E)[]
    ? Mutable<E>[]
    : { -readonly [K in keyof T]: Mutable<T[K]> };
/** Without this a field that only one side has would pass where it is optional. */
type Whole<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer E)[]
    ? Whole<E>[]
    : { [K in keyof T]-?: Whole<T[K]> };
type Both<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Same<A, B> = Both<Mutable<A>, Mutable<B>> extends true ? Both<Whole<Mutable<A>>, Whole<Mutable<B>>> : false;
type KeysOf<T> = T extends unknown ? keyof T : never;
const same = <_ extends true>(): void => undefined;

same<Same<{ a?: 1 }, { readonly a?: 1 }>>();
// @ts-expect-error a field that may be left out is one that must not
same<Same<{ a?: 1 }, { a: 1 }>>();
// @ts-expect-error a field that only one of them has
same<Same<{ a: 1; b?: 1 }, { a: 1 }>>();

/** What the client says by the method that is called, types more narrowly, or has for telling the dialects apart. */
type Own =
  ('decoding' | 'stream' | 'stream_options' | 'messages' | 'prompt') | ('response_format' | 'tools' | 'tool_choice');
same<Same<Omit<ChatRequest, Own>, Omit<ServerChatRequest, Own>>>();
same<Same<Omit<CompletionRequest, Own>, Omit<ServerCompletionRequest, Own>>>();
same<Same<Exclude<keyof ChatRequest, 'prompt'>, Exclude<keyof ServerChatRequest, 'stream' | 'stream_options'>>>();
same<
  Same<
    Exclude<keyof CompletionRequest, 'messages'>,
    Exclude<keyof ServerCompletionRequest, 'stream' | 'stream_options'>
  >
>();
same<Same<CompletionRequest['prompt'], ServerCompletionRequest['prompt']>>();
same<Same<keyof ChatRequest['messages'][number], keyof ServerChatRequest['messages'][number]>>();
const chat = (request: Mutable<Omit<ChatRequest, 'prompt' | 'decoding'>>): ServerChatRequest => request;
void chat;
same<Same<EmbeddingsRequest, Omit<ServerEmbeddingsRequest, 'encoding_format'>>>();
same<Same<DetokenizeRequest, ServerDetokenizeRequest>>();
const tokenize = (request: Mutable<TokenizeRequest>): ServerTokenizeRequest => request;
void tokenize;
same<Same<KeysOf<TokenizeRequest>, keyof ServerTokenizeRequest>>();
same<Same<Exclude<FinishReason, 'tool_calls'>, ServerFinishReason>>();
same<Same<Usage, WireUsage>>();
same<Same<DecodingReport, ServerReport>>();
same<Same<TokenTrace, WireTokenTrace>>();
same<Same<SearchTrace, ServerSearchTrace>>();
same<Same<MethodDescription, ServerMethod>>();
same<Same<Omit<Explanation, 'model' | 'models' | 'context_length'>, ServerExplanation>>();

// ---- the platforms' sockets

declare const socketOfWs: typeof WebSocket;
new Trimtab({ baseUrl: 'http://127.0.0.1:8000', webSocket: socketOfWs });
const constructor: WebSocketConstructor = socketOfWs;
void constructor;
