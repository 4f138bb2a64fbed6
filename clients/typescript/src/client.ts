// The client: one object per server. Every call is one request; what they have in common (address, headers, time limits, retries) is in its options.
import type { Answer } from './answer.js';
import { decodeStreamed, decodeWhole } from './http-events.js';
import { Http } from './http.js';
import { resolveOptions, type ClientOptions, type RequestOptions, type ResolvedOptions } from './options.js';
import { fields, items, string } from './read.js';
import type { Embeddings, Explanation, MethodDescription, Methods, Model, RenderedPrompt, Tokens } from './replies.js';
import type { ChatRequest, DecodeRequest, DetokenizeRequest, EmbeddingsRequest, TokenizeRequest } from './requests.js';
import type { Connection } from './socket/connection.js';
import { connect, type ConnectOptions } from './socket/connection.js';
import type { Decoding } from './specs/decoding.js';
import { DecodeStream } from './stream.js';
import { floats } from './tokens.js';

/** `model` is needed where the spec is none of its own: dials turn those of a deployment. */
export interface ExplainOptions extends RequestOptions {
  readonly model?: string;
}

export class Trimtab {
  readonly #options: ResolvedOptions;
  readonly #http: Http;

  constructor(options: ClientOptions) {
    this.#options = resolveOptions(options);
    this.#http = new Http(this.#options);
  }

  /** The whole answer to messages or to a plain prompt, in one reply. */
  decode(request: DecodeRequest, options: RequestOptions = {}): Promise<Answer> {
    return decodeWhole(this.#http, request, options);
  }

  /** The answer as it comes. Nothing is sent before it is read. */
  stream(request: DecodeRequest, options: RequestOptions = {}): DecodeStream {
    return new DecodeStream((own) => {
      const signal = options.signal ? AbortSignal.any([own, options.signal]) : own;
      return decodeStreamed(this.#http, request, { ...options, signal });
    });
  }

  /** A websocket for many decodes, which can be paused and whose weights can be changed. */
  connect(options: ConnectOptions = {}): Promise<Connection> {
    return connect(this.#options, options);
  }

  /** Texts as vectors: the hidden states of one model. */
  async embed(request: EmbeddingsRequest, options: RequestOptions = {}): Promise<Embeddings> {
    const reply = await this.#post('/v1/embeddings', { ...request, encoding_format: 'base64' }, options);
    const { model, data, usage } = fields(reply, 'the reply');
    const vectors = items(data, 'data').map((one) => floats(string(fields(one, 'data')['embedding'], 'embedding')));
    return { model: string(model, 'model'), vectors, usage: fields(usage, 'usage') as unknown as Embeddings['usage'] };
  }

  /** A text or a chat as the ids of a model. */
  async tokenize(request: TokenizeRequest, options: RequestOptions = {}): Promise<Tokens> {
    return fields(await this.#post('/tokenize', request, options), 'the reply') as unknown as Tokens;
  }

  /** The text of ids, special tokens included. */
  async detokenize(request: DetokenizeRequest, options: RequestOptions = {}): Promise<string> {
    return string(fields(await this.#post('/detokenize', request, options), 'the reply')['prompt'], 'prompt');
  }

  /** What each member would read of a chat. Nothing is computed. */
  async render(request: ChatRequest, options: RequestOptions = {}): Promise<RenderedPrompt> {
    const reply = await this.#post('/v1/chat/completions/render', request, options);
    return fields(reply, 'the reply') as unknown as RenderedPrompt;
  }

  /** Models and deployments. */
  async models(options: RequestOptions = {}): Promise<readonly Model[]> {
    return items(fields(await this.#get('/v1/models', options), 'the list')['data'], 'data') as readonly Model[];
  }

  async model(id: string, options: RequestOptions = {}): Promise<Model> {
    const path = `/v1/models/${id.split('/').map(encodeURIComponent).join('/')}`;
    return fields(await this.#get(path, options), 'the model') as unknown as Model;
  }

  /** What `decoding` may hold on this server. */
  async methods(options: RequestOptions = {}): Promise<Methods> {
    const lists = fields(await this.#get('/v1/decoding/methods', options), 'the list');
    return {
      methods: items(lists['data'], 'data') as readonly MethodDescription[],
      scorers: items(lists['scorers'], 'scorers') as readonly MethodDescription[],
    };
  }

  /** What a spec, or a model or deployment by its name, would compute and cost. Nothing is computed. */
  async explain(spec: string | Decoding, { model, ...options }: ExplainOptions = {}): Promise<Explanation> {
    const named =
      typeof spec === 'string' ? { model: spec } : { decoding: spec, ...(model === undefined ? {} : { model }) };
    const reply = await this.#post('/v1/decoding/explain', named, options);
    return fields(reply, 'the explanation') as unknown as Explanation;
  }

  async #get(path: string, options: RequestOptions): Promise<unknown> {
    return (await this.#http.json({ method: 'GET', path }, options)).data;
  }

  async #post(path: string, body: object, options: RequestOptions): Promise<unknown> {
    return (await this.#http.json({ method: 'POST', path, body }, options)).data;
  }
}
