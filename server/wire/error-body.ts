// The OpenAI error body, and which of an error a client may see. Called wherever an answer can fail: as an HTTP status, as an event of a
// stream, as a frame of a websocket.
import { AppError, type ErrorData } from '../errors.js';

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

export function errorBody(data: ErrorData): ErrorBody {
  return { error: { message: data.message, type: data.type, param: data.param, code: data.code } };
}

/** Causes inside the server are replaced by the request id under which they are logged. */
export function publicError(error: unknown, requestId: string): ErrorData {
  if (!(error instanceof AppError)) return new AppError('internal_error', { requestId }).data;
  const { code, type } = error.data;
  if (code === 'engine_failed') {
    return new AppError('engine_failed', { reason: `the cause is in the server's log under request id ${requestId}` })
      .data;
  }
  return type === 'configuration_error' ? new AppError('internal_error', { requestId }).data : error.data;
}
