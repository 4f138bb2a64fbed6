// Everything that this package throws. What the server refused is an ApiError of the class of its status, with the server's own words: they name
// the offending value and what to do next. What never reached the server, came too late, was broken off or cannot be read has classes of its own.

/** The base of all errors of this package. */
export class TrimtabError extends Error {
  override readonly name: string = 'TrimtabError';
}

/** The error object of a reply. */
export interface ErrorDetails {
  readonly message: string;
  readonly type: string | null;
  readonly code: string | null;
  /** The field that is at fault. */
  readonly param: string | null;
}

export interface ErrorCircumstances {
  /** Of the reply; null where the error came in the middle of a stream or over a websocket. */
  readonly status: number | null;
  /** Under which the server's log has the request. */
  readonly requestId: string | null;
  /** When the server says that a retry is worthwhile, in milliseconds from the reply. */
  readonly retryAfterMs: number | null;
  /** What the server says about retrying; null: nothing. */
  readonly shouldRetry: boolean | null;
}

/** The server refused, or failed. */
export class ApiError extends TrimtabError {
  override readonly name: string = 'ApiError';
  readonly status: number | null;
  readonly type: string | null;
  readonly code: string | null;
  readonly param: string | null;
  readonly requestId: string | null;
  readonly retryAfterMs: number | null;
  readonly shouldRetry: boolean | null;

  constructor({ message, type, code, param }: ErrorDetails, circumstances: ErrorCircumstances) {
    super(message);
    this.type = type;
    this.code = code;
    this.param = param;
    this.status = circumstances.status;
    this.requestId = circumstances.requestId;
    this.retryAfterMs = circumstances.retryAfterMs;
    this.shouldRetry = circumstances.shouldRetry;
  }
}

/** 400: the request asks for something that is wrong or that this server cannot do. */
export class BadRequestError extends ApiError {
  override readonly name = 'BadRequestError';
}

/** 401 */
export class AuthenticationError extends ApiError {
  override readonly name = 'AuthenticationError';
}

/** 403 */
export class PermissionDeniedError extends ApiError {
  override readonly name = 'PermissionDeniedError';
}

/** 404: a model or a route that does not exist here. */
export class NotFoundError extends ApiError {
  override readonly name = 'NotFoundError';
}

/** 409 */
export class ConflictError extends ApiError {
  override readonly name = 'ConflictError';
}

/** 422 */
export class UnprocessableEntityError extends ApiError {
  override readonly name = 'UnprocessableEntityError';
}

/** 429 */
export class RateLimitError extends ApiError {
  override readonly name = 'RateLimitError';
}

/** 500 and above. */
export class ServerError extends ApiError {
  override readonly name = 'ServerError';
}

/** No reply came, or it was cut off. `cause` has what the platform said. */
export class ConnectionError extends TrimtabError {
  override readonly name = 'ConnectionError';
  /** Of a websocket that was closed: docs/websocket.md has the codes. */
  readonly closeCode: number | null;

  constructor(message: string, options: { readonly cause?: unknown; readonly closeCode?: number } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.closeCode = options.closeCode ?? null;
  }
}

/** Nothing was heard of the server for `timeoutMs`. */
export class TimeoutError extends TrimtabError {
  override readonly name = 'TimeoutError';
}

/** Broken off by this side: by a signal, by `abort` or `cancel`, or by leaving a loop. */
export class AbortedError extends TrimtabError {
  override readonly name = 'AbortedError';
}

/** The reply is not what a trimtab server sends. */
export class ProtocolError extends TrimtabError {
  override readonly name = 'ProtocolError';
}

/** A stream can be read once, and this one has been. */
export class ConsumedError extends TrimtabError {
  override readonly name = 'ConsumedError';
}
