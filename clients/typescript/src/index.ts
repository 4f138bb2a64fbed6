// What the package gives: the client, its errors, the builders of specs, and the types of all that goes in and comes out.
export { Trimtab, type ExplainOptions } from './client.js';
export type { ClientOptions, Fetch, RequestOptions } from './options.js';
export { DecodeStream } from './stream.js';
export { Connection, type ConnectOptions } from './socket/connection.js';
export { LiveStream, type LiveOptions } from './socket/live-stream.js';
export type { WebSocketConstructor, WebSocketLike } from './socket/transport.js';
export * from './errors.js';
export type { Answer, Choice } from './answer.js';
export type * from './events.js';
export type * from './replies.js';
export type {
  ChatRequest,
  CompletionRequest,
  ContentPart,
  DecodeRequest,
  DetokenizeRequest,
  EmbeddingsRequest,
  Message,
  ResponseFormat,
  SharedFields,
  TokenizeRequest,
  Tool,
  ToolChoice,
} from './requests.js';
export type { Json, JsonObject } from './json.js';
export * from './specs/index.js';
