// Servers for the client's tests: the HTTP layer on a scripted engine behind a real port, and one that answers byte by byte what a test says.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Trimtab, type ClientOptions } from '../../../clients/typescript/src/index.js';
import type { Harness } from '../../server/http/support.js';

/** A client of a server that is not listening yet. */
export async function clientOf({ app }: Harness, options: Partial<ClientOptions> = {}): Promise<Trimtab> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return new Trimtab({ baseUrl: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, ...options });
}

export interface Scripted {
  readonly url: string;
  /** Every request that came, with its body. */
  readonly requests: readonly { readonly request: IncomingMessage; readonly body: string }[];
  close(): Promise<void>;
}

export type Reply = (response: ServerResponse, request: IncomingMessage) => void;

/** Answers the first request by the first reply, and so on; the last one for ever. */
export async function scripted(...replies: readonly Reply[]): Promise<Scripted> {
  const requests: { request: IncomingMessage; body: string }[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const reply = replies[Math.min(requests.length, replies.length - 1)]!;
      requests.push({ request, body });
      reply(response, request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };

export const refusal = (status: number, code: string, headers: Readonly<Record<string, string>> = {}): Reply =>
  json(status, { error: { message: `${code} it is`, type: 'invalid_request_error', param: 'n', code } }, headers);

const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 5, model: 'm', system_fingerprint: 'fp_1' };
const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, prompt_tokens_details: { cached_tokens: 0 } };
const decoding = { method: 'plain', parameters: {}, models: ['m'], forwards: {}, rewinds: 0, fallbacks: {}, seed: 1 };

const event = (choices: readonly object[], more: object = {}): string =>
  `data: ${JSON.stringify({ ...head, choices, ...more })}\n\n`;

export const delta = (text: string): string => event([{ index: 0, delta: { content: text }, finish_reason: null }]);
export const closing = event([{ index: 0, delta: {}, finish_reason: 'stop', stop_reason: null }]);
export const account = event([], { usage, decoding });
export const end = 'data: [DONE]\n\n';

export const whole = {
  ...head,
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop', stop_reason: null }],
  usage,
  decoding,
};

/** A stream of these pieces, each written by itself; it ends where `ends` says so. */
export const sse =
  (pieces: readonly (string | Uint8Array)[], ends: 'ends' | 'hangs' | 'breaks' = 'ends'): Reply =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-request-id': 'r1' });
    for (const piece of pieces) response.write(piece);
    if (ends === 'ends') response.end();
    if (ends === 'breaks') setImmediate(() => response.destroy());
  };

export const ask = { model: 'm', messages: [{ role: 'user' as const, content: 'hi' }] };
