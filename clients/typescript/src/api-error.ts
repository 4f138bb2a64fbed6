// The error object of a reply → the error that is thrown.
import {
  ApiError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  ServerError,
  UnprocessableEntityError,
  type ErrorCircumstances,
  type ErrorDetails,
} from './errors.js';

type ApiErrorClass = new (details: ErrorDetails, circumstances: ErrorCircumstances) => ApiError;

const byStatus: Readonly<Record<number, ApiErrorClass>> = {
  400: BadRequestError,
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  422: UnprocessableEntityError,
  429: RateLimitError,
};

/** Where no status tells: after the headers of a stream, and over a websocket. */
const byType: Readonly<Record<string, ApiErrorClass>> = {
  invalid_request_error: BadRequestError,
  authentication_error: AuthenticationError,
  permission_error: PermissionDeniedError,
  not_found_error: NotFoundError,
  rate_limit_error: RateLimitError,
  server_error: ServerError,
};

export function apiError(details: ErrorDetails, circumstances: ErrorCircumstances): ApiError {
  const { status } = circumstances;
  const Class =
    status === null ? byType[details.type ?? ''] : (byStatus[status] ?? (status >= 500 ? ServerError : undefined));
  return new (Class ?? ApiError)(details, circumstances);
}

/** Reads `{message, type, code, param}`, or makes the best of what stands in its place. */
export function errorDetails(error: unknown, fallback: string): ErrorDetails {
  const fields: Readonly<Record<string, unknown>> = typeof error === 'object' && error !== null ? { ...error } : {};
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return {
    message: text(fields['message']) ?? text(error) ?? fallback,
    type: text(fields['type']),
    code: text(fields['code']),
    param: text(fields['param']),
  };
}
