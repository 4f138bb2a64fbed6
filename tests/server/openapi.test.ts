// The OpenAPI document: every route is in it, its bodies are the ones that routes check with, its structure is that of OpenAPI 3.1, and its
// examples are what the suite in the box accepts and answers. The page under /docs in a real browser, where there is one.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import Schema from 'typebox/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { documentedUrl, operationId, schemaOf } from '../../server/openapi/document.js';
import { operations } from '../../server/openapi/operations.js';
import { ChatRequest } from '../../server/wire/chat.js';
import { ResponsesRequest } from '../../server/wire/responses.js';
import { TokenizeRequest } from '../../server/wire/tokenize.js';
import { serve, type Served } from '../support/served.js';
import { harness, hello } from './http/support.js';
import { apiKey } from '../support/api-key.js';

vi.setConfig({ hookTimeout: 300_000, testTimeout: 60_000 });

type Node = { readonly [key: string]: unknown };
interface Operation extends Node {
  readonly operationId: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security: readonly Node[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: Node; readonly example?: unknown }>>;
  };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Node }>>;
}
interface Document extends Node {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: Node; readonly schemas: Node };
}

const key = apiKey('a', '', { sha256: '0'.repeat(64) });

/** The router's own tree, in which a line goes on with the path of the line that it stands below. */
function routesIn(tree: string): string[] {
  const paths: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', part = '', methods = ''] = /^(.*?)[├└]── (\S+)(?: \(([A-Z, ]+)\))?/.exec(line) ?? [];
    if (part === '') return [];
    const depth = indent.length / 4;
    const above = depth === 0 ? '' : (paths[depth - 1] ?? '');
    // Of a wildcard the slash before it is not shown.
    paths[depth] = above + (part === '*' && !above.endsWith('/') ? '/*' : part);
    return methods === '' ? [] : methods.split(', ').map((method) => `${method} ${documentedUrl(paths[depth] ?? '')}`);
  });
}

async function documentOf(keys: readonly (typeof key)[] = []): Promise<{ document: Document; routes: string[] }> {
  const { app } = await harness(hello, { auth: { keys, openMetrics: false, wrongKeysPerMinute: null } });
  await app.ready();
  const routes = routesIn(app.printRoutes({ commonPrefix: false }));
  const document = (await app.inject('/openapi.json')).json<Document>();
  await app.close();
  return { document, routes };
}

const each = ({ paths }: Document): (readonly [string, Operation])[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
  );

describe('the document', () => {
  let document: Document;
  let routes: string[];
  beforeAll(async () => ({ document, routes } = await documentOf()));

  it('has every route that the router knows, but for files, and no other', () => {
    const served = routes.filter((route) => !/^(HEAD|OPTIONS|TRACE) |^\w+ (\/docs|\/$|\*)/.test(route));
    expect(
      each(document)
        .map(([route]) => route)
        .sort(),
    ).toEqual(served.sort());
    expect(served.length).toBeGreaterThan(15);
  });

  it('says of each what it is, and knows none that is not there', () => {
    for (const [route, { summary, tags }] of each(document))
      expect([route, summary, document.tags.map(({ name }) => name).includes(tags?.[0] ?? '')]).toEqual([
        route,
        expect.stringMatching(/\w/),
        true,
      ]);
    const optional = (route: string): boolean => route.includes('/v1/admin/');
    expect(Object.keys(operations).filter((route) => !routes.includes(route) && !optional(route))).toEqual([]);
  });

  it('has the bodies that the routes check with', () => {
    const body = (path: string): Node =>
      document.paths[path]?.['post']?.requestBody?.content['application/json']?.schema ?? {};
    for (const [path, { properties, required }] of [
      ['/v1/chat/completions', ChatRequest],
      ['/v1/responses', ResponsesRequest],
      ['/tokenize', TokenizeRequest],
    ] as const) {
      expect(Object.keys(body(path)['properties'] as Node).sort()).toEqual(Object.keys(properties).sort());
      expect(body(path)['required']).toEqual(required);
    }
    const temperature = (body('/v1/chat/completions')['properties'] as Record<string, Node>)['temperature'];
    expect(temperature).toMatchObject({ type: 'number', minimum: 0, maximum: 2 });
  });

  it('is OpenAPI 3.1 in structure', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info).toMatchObject({
      title: 'trimtab',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
    });
    const ids = each(document).map(([, operation]) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [route, operation] of each(document)) {
      const places = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const named = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path' && parameter.required);
      expect([route, named.map(({ name }) => name)]).toEqual([route, places]);
      expect(Object.keys(operation.responses).length).toBeGreaterThan(0);
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^([1-5]\d\d|default)$/);
        expect(response.description).not.toBe('');
      }
      if (operation.requestBody !== undefined)
        expect(Object.keys(operation.requestBody.content)).toEqual(['application/json']);
    }
    // Every reference leads somewhere, and nothing of OpenAPI 3.0 that 3.1 has dropped is in it.
    const text = JSON.stringify(document);
    for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g))
      expect(document.components.schemas).toHaveProperty(name);
    expect(text).not.toContain('"nullable"');
  });

  it('its examples fulfil its schemas', () => {
    const examples = each(document).flatMap(([route, operation]) => {
      const bodies = Object.values(operation.requestBody?.content ?? {});
      return bodies.flatMap(({ schema, example }) => (example === undefined ? [] : [{ route, schema, example }]));
    });
    expect(examples.length).toBeGreaterThan(7);
    for (const { route, schema, example } of examples)
      expect([route, Schema.Check(schema, example)]).toEqual([route, true]);
    // The check can fail.
    expect(Schema.Check(examples[0]!.schema, { ...(examples[0]!.example as object), temperature: 3 })).toBe(false);
  });

  it('asks for a key where the server does, and nowhere else', async () => {
    expect(each(document).every(([, { security }]) => security.length === 0)).toBe(true);
    const guarded = await documentOf([key]);
    const open = each(guarded.document).filter(([, { security }]) => security.length === 0);
    expect(open.map(([route]) => route).sort()).toEqual(['GET /health', 'GET /openapi.json', 'GET /ready']);
    expect(guarded.document.components.securitySchemes).toMatchObject({
      bearer: { scheme: 'bearer' },
      header: { name: 'x-api-key' },
    });
  });

  it('names', () => {
    expect(documentedUrl('/v1/models/*')).toBe('/v1/models/{id}');
    expect(documentedUrl('/a/:name/b')).toBe('/a/{name}/b');
    expect(operationId('POST', '/v1/chat/completions/render')).toBe('postChatCompletionsRender');
    expect(schemaOf({ a: [1], b: null, c: { d: 'x' } })).toEqual({
      type: 'object',
      properties: {
        a: { type: 'array', items: { type: 'number' } },
        b: {},
        c: { type: 'object', properties: { d: { type: 'string' } } },
      },
    });
  });
});

describe('on the suite in the box', () => {
  let served: Served;
  beforeAll(async () => {
    served = await serve();
  });
  afterAll(() => served?.stop());

  it.each(Object.entries(operations).filter(([, { request }]) => request !== undefined))(
    'the example of %s is answered as it says',
    async (route, { request, reply }) => {
      const [method = '', url = ''] = route.split(' ');
      const answer = await fetch(served.url + url, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      });
      expect(answer.status).toBe(200);
      const body = (await answer.json()) as never;
      if (reply !== undefined) expect(schemaOf(body)).toEqual(schemaOf(reply));
    },
  );

  it('has the whole table, administration too', async () => {
    const document = (await (await fetch(`${served.url}/openapi.json`)).json()) as Document;
    expect(
      each(document)
        .map(([route]) => route)
        .sort(),
    ).toEqual(Object.keys(operations).sort());
    expect(each(document).every(([, { summary }]) => summary !== undefined)).toBe(true);
  });

  const browserPath = [process.env['CHROMIUM'], '/usr/bin/chromium'].find(
    (path) => path !== undefined && existsSync(path),
  );

  it.skipIf(browserPath === undefined)('the page works offline under its policy, and sends a request', async () => {
    const browser = await chromium.launch({ executablePath: browserPath!, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      const foreign: string[] = [];
      page.on('request', (request) => {
        const url = request.url();
        if (!url.startsWith(served.url) && !url.startsWith('data:')) foreign.push(url);
      });
      const response = await page.goto(`${served.url}/docs`);
      const policy = response?.headers()['content-security-policy'] ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toContain('unsafe');
      await page.waitForSelector('.opblock');
      await page.locator('#operations-Tokens-postTokenize').click();
      await page.getByRole('button', { name: 'Execute' }).click();
      await page.waitForSelector('.live-responses-table');
      expect(await page.locator('.live-responses-table').textContent()).toContain('"max_model_len"');
      expect([complaints, foreign]).toEqual([[], []]);
    } finally {
      await browser.close();
    }
  });
});
