// Traces, received: a real server, a real OTLP/HTTP receiver that reads the export, and what is in the spans and what must not be. And the
// start without the SDK.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../server/config.js';
import { startTelemetry, tracesUrl } from '../../server/telemetry/start.js';
import { serve, type Served } from '../support/served.js';
import { harness, chat, hello } from './http/support.js';

vi.setConfig({ hookTimeout: 300_000, testTimeout: 60_000 });

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code?: number };
}

class Receiver {
  readonly bodies: string[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  readonly paths: string[] = [];
  #server: Server | null = null;
  #waiting: (() => void)[] = [];

  async listen(): Promise<string> {
    const server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (part: string) => (text += part));
      request.once('end', () => {
        this.bodies.push(text);
        this.headers.push(request.headers);
        this.paths.push(request.url ?? '');
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
        for (const resume of this.#waiting.splice(0)) resume();
      });
    }).listen(0, '127.0.0.1');
    this.#server = server;
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  get spans(): Span[] {
    return this.bodies.flatMap((body) => {
      const { resourceSpans } = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
      return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
    });
  }

  /** The spans of one trace, once `count` of them have come. */
  async trace(traceId: string, count: number): Promise<Span[]> {
    for (;;) {
      const found = this.spans.filter((span) => span.traceId === traceId);
      if (found.length >= count) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}

const valueOf = ({ attributes }: Span, key: string): unknown => {
  const value = attributes.find((attribute) => attribute.key === key)?.value;
  return value === undefined ? undefined : Object.values(value)[0];
};

describe('a traced server', () => {
  const receiver = new Receiver();
  let served: Served;
  beforeAll(async () => {
    const endpoint = await receiver.listen();
    served = await serve([], {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_SERVICE_NAME: 'steered',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    });
  });
  afterAll(async () => {
    await served?.stop();
    receiver.close();
  });

  const secret = 'the harbour master hides a heron';
  const ask = (traceId: string, body: object, path = '/v1/chat/completions'): Promise<Response> =>
    fetch(served.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
      body: JSON.stringify(body),
    });
  const request = {
    model: 'pocket-eft',
    messages: [{ role: 'user', content: secret }],
    max_tokens: 6,
    ignore_eos: true,
    seed: 7,
    temperature: 0.5,
  };

  it.each([false, true])(
    'an answer (streamed: %s) is one tree below the caller, with GenAI attributes',
    async (stream) => {
      const traceId = stream ? 'a'.repeat(32) : 'b'.repeat(32);
      const reply = await ask(traceId, { ...request, stream });
      expect(reply.status).toBe(200);
      const text = await reply.text();
      const spans = await receiver.trace(traceId, 5);
      const byName = new Map(spans.map((span) => [span.name, span]));
      expect([...byName.keys()].sort()).toEqual([
        'POST /v1/chat/completions',
        'chat pocket-eft',
        'decode',
        'prefill',
        'queue',
      ]);
      const [http, answer] = [byName.get('POST /v1/chat/completions')!, byName.get('chat pocket-eft')!];
      expect(http).toMatchObject({ parentSpanId: '00f067aa0ba902b7', kind: 2 });
      expect(valueOf(http, 'http.response.status_code')).toBe(200);
      expect(valueOf(http, 'trimtab.request_id')).toBe(reply.headers.get('x-request-id'));
      expect(answer.parentSpanId).toBe(http.spanId);
      for (const [key, value] of Object.entries({
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'trimtab',
        'gen_ai.request.model': 'pocket-eft',
        'gen_ai.request.max_tokens': 6,
        'gen_ai.request.temperature': 0.5,
        'gen_ai.request.seed': 7,
        'gen_ai.usage.output_tokens': 6,
        'trimtab.method': 'eft',
      }))
        expect([key, valueOf(answer, key)]).toEqual([key, value]);
      expect(text).toContain(String(valueOf(answer, 'gen_ai.response.id')));
      expect(Number(valueOf(answer, 'gen_ai.usage.input_tokens'))).toBeGreaterThan(5);
      // One after the other, within the answer.
      const [queue, prefill, decode] = ['queue', 'prefill', 'decode'].map((name) => byName.get(name)!);
      for (const span of [queue!, prefill!, decode!]) expect(span.parentSpanId).toBe(answer.spanId);
      expect(Number(prefill!.startTimeUnixNano)).toBeGreaterThanOrEqual(Number(queue!.startTimeUnixNano));
      expect(Number(decode!.startTimeUnixNano)).toBeGreaterThanOrEqual(Number(prefill!.startTimeUnixNano));
      expect(Number(decode!.endTimeUnixNano)).toBeGreaterThan(Number(decode!.startTimeUnixNano));
    },
  );

  it('an error says so by its code; nothing is traced that asks for status', async () => {
    const traceId = 'c'.repeat(32);
    await fetch(`${served.url}/health`, { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } });
    const reply = await ask(traceId, { ...request, model: 'nothing' });
    expect(reply.status).toBe(404);
    const spans = await receiver.trace(traceId, 1);
    expect(spans.map(({ name }) => name)).toEqual(['POST /v1/chat/completions']);
    expect(valueOf(spans[0]!, 'http.response.status_code')).toBe(404);
  });

  it('no export holds a word of a prompt or of an answer', async () => {
    const traceId = 'd'.repeat(32);
    const reply = await ask(traceId, {
      ...request,
      decoding: { method: 'plain', model: 'pocket', prompt: { system: secret } },
    });
    expect(reply.status).toBe(200);
    const said = ((await reply.json()) as { choices: { message: { content: string } }[] }).choices[0]!.message.content;
    await receiver.trace(traceId, 5);
    const exported = receiver.bodies.join('');
    for (const word of [secret, 'heron', 'harbour']) expect(exported).not.toContain(word);
    expect(said.length).toBeGreaterThan(8);
    expect(exported).not.toContain(said);
    expect(exported).toContain('steered');
    expect(receiver.paths.every((path) => path === '/v1/traces')).toBe(true);
  });
});

describe('the settings', () => {
  const environment = { TRIMTAB_CONFIG: 'trimtab.config.json' };
  it('come from the file or, first, from the environment', () => {
    expect(loadConfig({}, environment).telemetry).toEqual({
      endpoint: null,
      headers: {},
      serviceName: 'trimtab',
      sampleRatio: 1,
    });
    const { telemetry } = loadConfig(
      {},
      { ...environment, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_SERVICE_NAME: 'x' },
    );
    expect([telemetry.endpoint, telemetry.serviceName]).toEqual(['http://c:4318', 'x']);
    expect(tracesUrl('http://c:4318/')).toBe('http://c:4318/v1/traces');
  });
  it('without an endpoint nothing is loaded, and requests are served', async () => {
    expect(await startTelemetry({ endpoint: null, headers: {}, serviceName: 'x', sampleRatio: 1 })).toBeNull();
    const { app } = await harness(hello);
    expect((await app.inject({ method: 'POST', url: '/v1/chat/completions', payload: chat() })).statusCode).toBe(200);
    await app.close();
  });
  it('without the SDK the start says what to install', async () => {
    const settings = { endpoint: 'http://127.0.0.1:9', headers: {}, serviceName: 'x', sampleRatio: 1 };
    const missing = async (): Promise<never> => {
      const name: string = '@opentelemetry/not-installed';
      return (await import(name)) as never;
    };
    await expect(startTelemetry(settings, missing)).rejects.toThrow(/npm install @opentelemetry\/sdk-trace-node/);
    const broken = (): Promise<never> => Promise.reject(new Error('broken'));
    await expect(startTelemetry(settings, broken)).rejects.toThrow('broken');
  });
});
