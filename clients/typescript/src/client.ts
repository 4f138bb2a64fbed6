// The client: one object per server. Every call is one request; what they have in common (address, headers, time limits, retries) is in its options.
import type { Answer } from './answer.js';
import { decodeStreamed, decodeWhole } from './http-events.js';
import { Http } from './http.js';
import { resolveOptions, type ClientOptions, type RequestOptions, type ResolvedOptions } from './options.js';
import { fields, items } from './read.js';
import type { Explanation, MethodDescription, Methods, Model } from './replies.js';
import type { DecodeRequest } from './requests.js';
import type { Connection } from './socket/connection.js';
import { connect, type ConnectOptions } from './socket/connection.js';
import type { Decoding } from './specs/decoding.js';
import { DecodeStream } from './stream.js';

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

  /** Models and deployments. */
  async models(options: RequestOptions = {}): Promise<readonly Model[]> {
    const { data } = await this.#http.json({ method: 'GET', path: '/v1/models' }, options);
    return items(fields(data, 'the list')['data'], 'data') as readonly Model[];
  }

  async model(id: string, options: RequestOptions = {}): Promise<Model> {
    const path = `/v1/models/${id.split('/').map(encodeURIComponent).join('/')}`;
    const { data } = await this.#http.json({ method: 'GET', path }, options);
    return fields(data, 'the model') as unknown as Model;
  }

  /** What `decoding` may hold on this server. */
  async methods(options: RequestOptions = {}): Promise<Methods> {
    const { data } = await this.#http.json({ method: 'GET', path: '/v1/decoding/methods' }, options);
    const lists = fields(data, 'the list');
    return {
      methods: items(lists['data'], 'data') as readonly MethodDescription[],
      scorers: items(lists['scorers'], 'scorers') as readonly MethodDescription[],
    };
  }

  /** What a spec, or a model or deployment by its name, would compute and cost. Nothing is computed. */
  async explain(spec: string | Decoding, { model, ...options }: ExplainOptions = {}): Promise<Explanation> {
    const named =
      typeof spec === 'string' ? { model: spec } : { decoding: spec, ...(model === undefined ? {} : { model }) };
    const { data } = await this.#http.json({ method: 'POST', path: '/v1/decoding/explain', body: named }, options);
    return fields(data, 'the explanation') as unknown as Explanation;
  }
}
