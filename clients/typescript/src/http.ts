// One request over HTTP: headers, retries, the way errors come. Knows no route and no reply. What it opens is closed by whoever reads it.
import { apiError, errorDetails } from './api-error.js';
import { ConnectionError, ProtocolError, TimeoutError, type TrimtabError } from './errors.js';
import { Lifeline } from './lifeline.js';
import { checkHeaders, checkRetries, checkTimeout, type RequestOptions, type ResolvedOptions } from './options.js';
import { repeated } from './repeat.js';
import { retryAfterMs, shouldRetry } from './retry.js';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** Below the origin: "/v1/models". */
  readonly path: string;
  readonly body?: object;
  readonly accept?: string;
}

/** A reply with a status of success whose body has yet to be read. `lifeline` has to be released. */
export interface OpenReply {
  readonly response: Response;
  readonly lifeline: Lifeline;
}

export interface ReplyFacts {
  /** Under which the server's log has the request. */
  readonly requestId: string | null;
  /** Fields of the request that the server does not know and has passed over. */
  readonly ignored: readonly string[];
}

export class Http {
  readonly #options: ResolvedOptions;

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  /** The reply as JSON. */
  async json(request: HttpRequest, options: RequestOptions = {}): Promise<{ readonly data: unknown } & ReplyFacts> {
    return repeated(this.#retries(options), options.signal, async () => {
      const { response, lifeline } = await this.#once(request, options);
      try {
        const text = await reading(lifeline, () => response.text());
        return { data: parsed(text), ...factsOf(response) };
      } finally {
        lifeline.release();
      }
    });
  }

  /** The reply once its headers are there. From then on nothing is sent again. */
  async open(request: HttpRequest, options: RequestOptions = {}): Promise<OpenReply> {
    return repeated(this.#retries(options), options.signal, () => this.#once(request, options));
  }

  #retries({ maxRetries }: RequestOptions): number {
    return checkRetries(maxRetries ?? this.#options.maxRetries);
  }

  async #once({ method, path, body, accept }: HttpRequest, options: RequestOptions): Promise<OpenReply> {
    const { origin, fetch, headers } = this.#options;
    const lifeline = new Lifeline(checkTimeout(options.timeoutMs ?? this.#options.timeoutMs), options.signal);
    try {
      const response = await reading(lifeline, () =>
        fetch(`${origin}${path}`, {
          method,
          headers: {
            accept: accept ?? 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
            ...checkHeaders(options.headers ?? {}),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: lifeline.signal,
        }),
      );
      lifeline.heard();
      if (response.ok) return { response, lifeline };
      throw await refusal(response, lifeline);
    } catch (error) {
      lifeline.release();
      throw error;
    }
  }
}

/** Whatever the platform throws while something is read becomes one of our errors. */
export async function reading<T>(lifeline: Lifeline, read: () => Promise<T>): Promise<T> {
  if (lifeline.ended) throw lifeline.ended;
  try {
    return await read();
  } catch (error) {
    throw lifeline.ended ?? connectionError(error);
  }
}

/** Node's fetch has time limits of its own, and says so in the cause. */
const ownLimits: ReadonlySet<unknown> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

function connectionError(error: unknown): TrimtabError {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = codeOf(cause) ?? codeOf(error);
  if (ownLimits.has(code))
    return new TimeoutError(
      `The platform's fetch gave up waiting (${String(code)}). Use stream(), which is heard of as long as it lives.`,
      { cause: error },
    );
  const reason = [error, cause].flatMap((each) => (each instanceof Error && each.message ? [each.message] : []));
  return new ConnectionError(
    `The server could not be reached, or was lost: ${reason.join(': ') || 'no reason given'}.`,
    {
      cause: error,
    },
  );
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

async function refusal(response: Response, lifeline: Lifeline): Promise<TrimtabError> {
  const { status, headers } = response;
  const text = await reading(lifeline, () => response.text());
  const fallback = `HTTP ${status}${text === '' ? '' : `: ${text.slice(0, 200)}`}`;
  let error: unknown;
  try {
    const body: unknown = JSON.parse(text);
    error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined;
  } catch {
    error = undefined;
  }
  return apiError(errorDetails(error, fallback), {
    status,
    requestId: headers.get('x-request-id'),
    retryAfterMs: retryAfterMs(headers, Date.now()),
    shouldRetry: shouldRetry(headers),
  });
}

export function factsOf({ headers }: Response): ReplyFacts {
  const ignored = headers.get('x-trimtab-ignored') ?? '';
  return {
    requestId: headers.get('x-request-id'),
    ignored: ignored === '' ? [] : ignored.split(',').map(unescaped),
  };
}

function unescaped(name: string): string {
  try {
    return decodeURIComponent(name.trim());
  } catch {
    return name;
  }
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProtocolError(`What should be JSON is not: ${text.slice(0, 200)}`, { cause: error });
  }
}
