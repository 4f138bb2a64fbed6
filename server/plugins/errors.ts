// Every error leaves here, as the OpenAI error body. Knows the errors of fastify, of the schema check and our own; anything else
// is a bug: logged with its stack, shown without. Messages that can name a file or an address never reach the client.
import type { Socket } from 'node:net';
import type {
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchemaValidationError,
} from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { HttpConfig } from '../context.js';
import { AppError, type ErrorData } from '../errors.js';
import { errorBody, publicError } from '../wire/error-body.js';
import { shown } from '../wire/shown.js';

/** Headers that tell a stock client when to try again: it retries every 5xx by itself. */
function retryHeaders(data: ErrorData): Record<string, string> {
  if (data.retryAfterSeconds !== undefined) return { 'retry-after': String(Math.ceil(data.retryAfterSeconds)) };
  if (data.status === 503 || data.status === 429) return { 'retry-after': '1' };
  return data.status >= 500 ? { 'x-should-retry': 'false' } : {};
}

export function sendError(reply: FastifyReply, data: ErrorData): FastifyReply {
  return reply
    .code(data.status)
    .headers(retryHeaders(data))
    .type('application/json; charset=utf-8')
    .send(errorBody(data));
}

interface DescribedSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, DescribedSchema>>;
}

/** "/messages/0/content" → ["messages", "0", "content"] */
const segments = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

function named(path: readonly string[]): string {
  return path.map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

function at(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return undefined;
    current = (current as Record<string, unknown>)[part];
  }
  return current;
}

/** The deepest complaint is the most telling: of a union, the branch that came furthest. */
export function invalidValue(
  failures: readonly FastifySchemaValidationError[],
  body: unknown,
  schema: unknown,
): AppError {
  const described = schema as DescribedSchema | undefined;
  const depth = (error: FastifySchemaValidationError): number => segments(error.instancePath).length;
  const deepest = Math.max(...failures.map(depth));
  const candidates = failures.filter((error) => depth(error) === deepest);
  const union = candidates.find((error) => error.keyword === 'anyOf');
  const error = union ?? candidates[0]!;
  const path = segments(error.instancePath);
  const missing = error.keyword === 'required' ? String(error.params['missingProperty']) : null;
  const full = missing === null ? path : [...path, missing];
  const expected =
    (full[0] === undefined ? undefined : described?.properties?.[full[0]]?.description) ?? described?.description;
  return new AppError('invalid_value', {
    param: full.length === 0 ? 'body' : named(full).slice(0, 128),
    problem:
      missing !== null
        ? 'is required'
        : union !== undefined || error.message === undefined
          ? 'is of the wrong type'
          : error.message,
    value: shown(missing === null ? at(body, path) : undefined),
    remedy: expected === undefined ? '' : `Send ${expected}.`,
  });
}

function fromFastify(error: FastifyError, request: FastifyRequest, config: HttpConfig): AppError | null {
  switch (error.code) {
    case 'FST_ERR_VALIDATION':
      return error.validation === undefined
        ? null
        : invalidValue(error.validation, request.body, request.routeOptions.schema?.body);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_INVALID_TYPE':
      return new AppError('unsupported_media_type', { value: shown(request.headers['content-type']) });
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new AppError('body_too_large', { limit: config.bodyBytes });
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new AppError('malformed_request', { reason: 'its body is not as long as content-length says' });
    case 'FST_ERR_BAD_URL':
      return new AppError('malformed_request', { reason: 'its address is not a valid URL' });
    default:
      return error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
        ? new AppError('malformed_request', { reason: 'it was refused before it reached a route' })
        : null;
  }
}

/** Which methods each registered address answers, for 405. */
function collectRoutes(app: FastifyInstance): (path: string) => readonly string[] {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', (route) => {
    // Every address answers preflights, which is no method of its own.
    if (route.url === '*') return;
    const known = methods.get(route.url) ?? new Set<string>();
    for (const method of [route.method].flat()) known.add(method);
    methods.set(route.url, known);
  });
  return (path) => {
    for (const [url, known] of methods) {
      const matches = url.endsWith('*') ? path.startsWith(url.slice(0, -1)) : url === path;
      if (matches) return [...known].sort();
    }
    return [];
  };
}

export const errorsPlugin = fastifyPlugin<{ config: HttpConfig }>((app, { config }, done) => {
  const methodsOf = collectRoutes(app);

  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const allowed = methodsOf(path);
    const details = { method: request.method, path: shown(path).slice(1, -1) };
    if (allowed.length === 0) return sendError(reply, new AppError('route_not_found', details).data);
    void reply.header('allow', allowed.join(', '));
    return sendError(reply, new AppError('method_not_allowed', { ...details, allowed: allowed.join(' or ') }).data);
  });

  app.setErrorHandler<FastifyError | AppError>((error, request, reply) => {
    const known = error instanceof AppError ? error : fromFastify(error, request, config);
    const data = publicError(known ?? error, request.id);
    if (data.status >= 500 && data.status !== 503) request.log.error({ err: error }, 'request failed');
    return sendError(reply, data);
  });
  done();
});

/** What the router refuses before it has a route; no hook has run. */
export function frameworkErrorHandler(
  config: HttpConfig,
): (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => void {
  return (error, request, reply) => {
    void reply.header('x-request-id', request.id);
    void sendError(reply, publicError(fromFastify(error, request, config) ?? error, request.id));
  };
}

/** What node's parser refuses never becomes a request; the answer is written by hand on the socket. */
export function clientErrorHandler(config: HttpConfig): (error: NodeJS.ErrnoException, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const { data } =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? new AppError('headers_too_large', {})
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? new AppError('request_timeout', { seconds: config.requestTimeoutMs / 1000 })
          : new AppError('malformed_request', { reason: 'it is not valid HTTP' });
    if (!socket.writable) {
      socket.destroy(error);
      return;
    }
    const body = JSON.stringify(errorBody(data));
    socket.end(
      `HTTP/1.1 ${data.status} Error\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  };
}
