// What a client is made with, checked once: a mistake shows where the client is made, not at the first request.
import { TrimtabError } from './errors.js';
import type { WebSocketConstructor } from './socket/transport.js';

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export interface ClientOptions {
  /** Of the server, with or without `/v1`: "http://127.0.0.1:8000". */
  readonly baseUrl: string;
  /** Sent as `authorization: Bearer …`, on a websocket as a subprotocol. */
  readonly apiKey?: string;
  /** In place of the platform's own: a proxy, a recorder, a test. */
  readonly fetch?: Fetch;
  /** In place of the platform's own. Node has one from version 22 on; for Node 20 give that of the package ws. */
  readonly webSocket?: WebSocketConstructor;
  /** How long nothing may be heard of the server, in milliseconds; 600 000. A stream is heard of with every piece and every ping. Infinity: for ever. */
  readonly timeoutMs?: number;
  /** How often a request is sent again where that is safe and worthwhile; 2. */
  readonly maxRetries?: number;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What one request may do otherwise. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly maxRetries?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ResolvedOptions {
  /** Without `/v1` and without a slash at the end. */
  readonly origin: string;
  readonly apiKey: string | null;
  readonly fetch: Fetch;
  readonly webSocket: WebSocketConstructor | null;
  readonly timeoutMs: number;
  readonly maxRetries: number;
  readonly headers: Readonly<Record<string, string>>;
}

const usualTimeoutMs = 600_000;
const usualRetries = 2;
/** What timers can count to. */
const mostTimerMs = 2 ** 31 - 1;

export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const { apiKey, headers } = options;
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey))
    throw new TrimtabError('apiKey: it must be of visible ASCII characters, without spaces.');
  const platform: { readonly fetch?: Fetch; readonly WebSocket?: WebSocketConstructor } = globalThis;
  const ownFetch = options.fetch ?? platform.fetch;
  if (ownFetch === undefined) throw new TrimtabError('fetch: this platform has none, so give one in the options.');
  return {
    origin: origin(options.baseUrl),
    apiKey: apiKey ?? null,
    // Called as a method, the platform's fetch refuses in browsers.
    fetch: (input, init) => ownFetch(input, init),
    webSocket: options.webSocket ?? platform.WebSocket ?? null,
    timeoutMs: checkTimeout(options.timeoutMs ?? usualTimeoutMs),
    maxRetries: checkRetries(options.maxRetries ?? usualRetries),
    headers: checkHeaders({ ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }), ...headers }),
  };
}

function origin(baseUrl: string): string {
  let url: URL;
  try {
    url = new URL(baseUrl);
  } catch {
    throw new TrimtabError(`baseUrl: ${JSON.stringify(baseUrl)} is no URL. Use one such as "http://127.0.0.1:8000".`);
  }
  const { protocol, username, password, search, hash } = url;
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new TrimtabError(`baseUrl: ${protocol} is not supported. Use http: or https:.`);
  if (username !== '' || password !== '')
    throw new TrimtabError('baseUrl: it must not hold a user or a password. Use apiKey or headers.');
  if (search !== '' || hash !== '') throw new TrimtabError('baseUrl: leave out what follows the path.');
  return url.href.replace(/\/+$/, '').replace(/\/v1$/, '').replace(/\/+$/, '');
}

export function checkTimeout(timeoutMs: number): number {
  if (timeoutMs === Infinity || (timeoutMs >= 1 && timeoutMs <= mostTimerMs)) return timeoutMs;
  throw new TrimtabError(`timeoutMs: ${timeoutMs} is out of range. Use 1 to ${mostTimerMs}, or Infinity.`);
}

export function checkRetries(maxRetries: number): number {
  if (Number.isInteger(maxRetries) && maxRetries >= 0) return maxRetries;
  throw new TrimtabError(`maxRetries: ${maxRetries} is out of range. Use a whole number of at least 0.`);
}

export function checkHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const checked: Record<string, string> = {};
  try {
    new Headers(headers).forEach((value, name) => (checked[name] = value));
    return checked;
  } catch (error) {
    throw new TrimtabError('headers: a name or a value cannot be sent.', { cause: error });
  }
}
