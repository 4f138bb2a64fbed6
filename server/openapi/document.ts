// The OpenAPI 3.1 document: paths and bodies as @fastify/swagger reads them from the routes' own schemas, completed by the table of
// operations with replies, examples, errors and keys. Knows no route but by its address. Called by plugins/openapi.ts.
import type { AppError } from '../errors.js';
import { errorBody } from '../wire/error-body.js';
import type { JsonValue, Operation } from './operation.js';
import { operations } from './operations.js';

type Part = Record<string, unknown>;
export type Paths = Record<string, Record<string, Part> | undefined>;

export const tags: readonly { readonly name: Operation['tag']; readonly description: string }[] = [
  { name: 'Answers', description: 'Text from models and deployments, in the dialects of OpenAI.' },
  { name: 'Models', description: 'What can be named in the field `model`.' },
  { name: 'Decoding', description: 'Methods that steer, what they cost, and a websocket to turn them while they run.' },
  { name: 'Tokens', description: 'Text, ids and vectors.' },
  { name: 'Status', description: 'For operators and load balancers.' },
  { name: 'Administration', description: 'What changes the server; it takes a key with the scope admin.' },
];

export const introduction = `Frozen language models, steered while they decode, behind the OpenAI API.

Values are never coerced. In a body, a top-level \`null\` means that the field is left out; fields that nobody knows are ignored and named in the
header \`x-trimtab-ignored\`, or refused where the server is strict. Inside \`decoding\` unknown keys are always errors. Every reply has \`x-request-id\`.
The examples work with the models in the box.`;

export const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'Authorization: Bearer KEY, as OpenAI clients send it.' },
  header: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'The same key without "Bearer".' },
} as const;

/** The address as OpenAPI writes it: the wildcard of names that may hold slashes is a parameter. */
export const documentedUrl = (url: string): string => url.replace(/\/\*$/, '/{id}').replaceAll(/:(\w+)/g, '{$1}');

/** Whether a route needs no key where others do. */
export type IsOpen = (method: string, url: string) => boolean;

/** Adds what the table says. Changes `paths`. */
export function complete(paths: Paths, isOpen: IsOpen, sampleError: AppError): Paths {
  for (const [url, methods = {}] of Object.entries(paths)) {
    // Fastify answers HEAD wherever it answers GET.
    delete methods['head'];
    for (const [method, shared] of Object.entries(methods)) {
      // A route of several methods has one object for all of them.
      const operation = { ...shared };
      describe(operation, method.toUpperCase(), url, isOpen, sampleError);
      methods[method] = operation;
    }
  }
  return paths;
}

/** The document of a server that asks for no keys. */
export function withoutKeys<T extends { readonly paths?: unknown }>(document: T): T {
  const paths = Object.entries((document.paths ?? {}) as Paths).map(([url, methods = {}]) => {
    const open = Object.entries(methods).map(([method, operation]) => [method, { ...operation, security: [] }]);
    return [url, Object.fromEntries(open) as Record<string, Part>] as const;
  });
  return { ...document, paths: Object.fromEntries(paths) };
}

function describe(part: Part, method: string, url: string, isOpen: IsOpen, sampleError: AppError): void {
  const known = operations[`${method} ${url}`];
  part['operationId'] = operationId(method, url);
  part['security'] = isOpen(method, url) ? [] : [{ bearer: [] }, { header: [] }];
  if (known === undefined) return;
  part['tags'] = [known.tag];
  part['summary'] = known.summary;
  // What stands there otherwise is the description of the body.
  delete part['description'];
  if (known.description !== undefined) part['description'] = known.description;
  part['responses'] = responses(known, url, sampleError);
  const parameters = Object.entries(known.parameters ?? {});
  if (parameters.length > 0)
    part['parameters'] = parameters.map(([name, description]) => ({
      name,
      in: 'path',
      required: true,
      description,
      schema: { type: 'string' },
    }));
  const body = part['requestBody'] as { content?: Record<string, Part> } | undefined;
  const json = body?.content?.['application/json'];
  if (json !== undefined && known.request !== undefined) json['example'] = known.request;
}

function responses({ reply, replyType, streams, status = 200 }: Operation, url: string, sampleError: AppError): Part {
  const json = reply === undefined ? { schema: { type: 'object' } } : { schema: schemaOf(reply), example: reply };
  const content = {
    [replyType ?? 'application/json']: replyType === 'text/plain' ? { schema: { type: 'string' } } : json,
    ...(streams === true
      ? { 'text/event-stream': { schema: { type: 'string', description: 'With "stream": true.' } } }
      : {}),
  };
  if (status === 404) return { 404: errorResponse(sampleError) };
  const done = status === 101 ? { description: 'The websocket is open.' } : { description: 'Done.', content };
  const isStatus = url === '/health' || url === '/openapi.json';
  return {
    [String(status)]: done,
    ...(isStatus ? {} : { default: errorResponse(sampleError) }),
  };
}

const errorResponse = ({ data }: AppError): Part => ({
  description:
    'The error object of OpenAI, with the offending value and what to do. 429 and 503 have retry-after; docs/http.md lists the codes.',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' }, example: errorBody(data) } },
});

export const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'], description: 'The field that is at fault.' },
        code: { type: 'string', description: 'Stable: to be compared.' },
      },
    },
  },
} as const;

/** What a reply looks like, from one: null says nothing of what may stand there. */
export function schemaOf(value: JsonValue): Part {
  if (value === null) return {};
  if (Array.isArray(value))
    return { type: 'array', ...(value.length > 0 ? { items: schemaOf(value[0] as JsonValue) } : {}) };
  if (typeof value === 'object') {
    const entries = Object.entries(value as Readonly<Record<string, JsonValue>>);
    return {
      type: 'object',
      properties: Object.fromEntries(entries.map(([key, inner]) => [key, schemaOf(inner)])),
    };
  }
  if (typeof value === 'number') return { type: 'number' };
  return { type: typeof value };
}

/** postChatCompletionsRender: unique, and a name for those who generate clients. */
export function operationId(method: string, url: string): string {
  const words = url.split(/[^A-Za-z0-9]+/).filter((word) => word !== '' && word !== 'v1');
  return [method.toLowerCase(), ...words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)].join('');
}
