// Pictures that are none, and addresses that lead where nobody should be led: each is a 400 with the place, the reason and a remedy, reaches
// no engine, and nothing is fetched from an address that is not public.
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isAllowed, isPublic, type Network } from '../../../server/images/guard.js';
import { ImageService } from '../../../server/images/service.js';
import { chat, harness, hello, type Harness } from '../http/support.js';
import { animated, cmyk, dataUri, drawing, promised } from './pictures.js';

const tower = path.resolve(import.meta.dirname, '../../reference/clip');
const vision = { path: tower, imageSize: 12, projections: [] };
const settings = { maxPerRequest: 2, maxPixels: 1 << 20, maxBytes: 4096, timeoutMs: 150 };
const place = 'messages[0].content[0].image_url.url';

/** What the page of a test answers, by path. */
const pages: Record<string, (reply: ServerResponse) => void> = {};
const asked: string[] = [];
let page: Server;
let port: number;

/** Names of the tests; the real rule says which addresses are public, but for this machine's own under its one good name. */
const network: Network = {
  resolve: async (host) => {
    const addresses: Record<string, string[]> = {
      'good.example': ['127.0.0.1'],
      'inside.example': ['10.1.2.3'],
      'both.example': ['127.0.0.1', '169.254.169.254'],
    };
    const found = addresses[host];
    if (!found) throw new Error('ENOTFOUND');
    return found.map((address) => ({ address, family: 4 }));
  },
  isPublic: (address) => address === '127.0.0.1' || isPublic(address),
};
const hosts = [
  'good.example',
  'inside.example',
  'both.example',
  'nowhere.example',
  '127.0.0.1',
  '169.254.169.254',
  '::ffff:a00:1',
];

let closed: Harness;
let open: Harness;
let strict: Harness;

async function serving(allowed: readonly string[], using?: Network): Promise<Harness> {
  const images = new ImageService({ ...settings, hosts: allowed }, using);
  images.load(new Map([['bytes', { vision }]]));
  return harness(hello, { bodyBytes: 1 << 20 }, { images });
}

beforeAll(async () => {
  page = createServer((request, reply) => {
    asked.push(request.url ?? '');
    (pages[request.url ?? ''] ?? (() => undefined))(reply);
  });
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
  port = (page.address() as AddressInfo).port;
  closed = await serving([]);
  open = await serving(hosts, network);
  strict = await serving(hosts);
});
afterAll(async () => {
  for (const { app } of [closed, open, strict]) await app.close();
  page.closeAllConnections();
  page.close();
});
beforeEach(() => {
  asked.length = 0;
  for (const { submitted } of [closed, open, strict]) submitted.length = 0;
});

const image = (url: string) => ({ type: 'image_url', image_url: { url } });

async function post(server: Harness, content: unknown, model = 'bytes') {
  const reply = await server.app.inject({
    method: 'POST',
    url: '/v1/chat/completions',
    payload: chat({ model, messages: [{ role: 'user', content }] }),
  });
  return { status: reply.statusCode, body: JSON.parse(reply.body) as { error?: { message: string; param: string } } };
}

async function refused(server: Harness, content: unknown, says: string, param = place, model = 'bytes'): Promise<void> {
  const { status, body } = await post(server, content, model);
  expect({ status, param: body.error?.param }).toEqual({ status: 400, param });
  expect(body.error?.message ?? '').toContain(says);
  expect(body.error?.message.length).toBeLessThan(500);
  expect(body.error?.message).not.toMatch(/node_modules|\/tmp|10\.1\.2\.3|ENOTFOUND/);
  expect(server.submitted).toEqual([]);
}

describe('files', () => {
  test('a good one reaches the engine, as the tower takes it', async () => {
    for (const [type, bytes] of [
      ['image/png', await drawing(30, 20).png().toBuffer()],
      ['image/jpeg', await drawing(30, 20).jpeg().toBuffer()],
      ['image/webp', await drawing(30, 20).webp().toBuffer()],
    ] as const) {
      const { status } = await post(closed, [
        { ...image(dataUri(bytes, type)), detail: undefined },
        { type: 'text', text: 'hi' },
      ]);
      expect(status).toBe(200);
    }
    const [first] = closed.submitted[0]!.request.images![0]!;
    expect(first!.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(first!.pixels).toHaveLength(3 * 12 * 12);
  });

  test('detail is accepted and means nothing; another word does not', async () => {
    const url = dataUri(await drawing(12, 12).png().toBuffer());
    const hashes = [];
    for (const detail of ['auto', 'low', 'high', null]) {
      expect((await post(closed, [{ type: 'image_url', image_url: { url, detail } }])).status).toBe(200);
      hashes.push(closed.submitted.at(-1)!.request.images![0]![0]!.hash);
    }
    expect(new Set(hashes).size).toBe(1);
    closed.submitted.length = 0;
    await refused(
      closed,
      [{ type: 'image_url', image_url: { url, detail: 'huge' } }],
      'auto, low, high',
      'messages[0].content[0].image_url.detail',
    );
  });

  test.each([
    ['no image', async () => dataUri(Buffer.from('hello, this is text')), 'no image'],
    [
      'cut off',
      async () => dataUri((await drawing(64, 64).png({ compressionLevel: 0 }).toBuffer()).subarray(0, 3000)),
      'cut off',
    ],
    ['a header of 50 000 × 50 000', async () => dataUri(promised(50_000, 50_000)), 'too large'],
    ['1 × 1', async () => dataUri(await drawing(1, 1).png().toBuffer()), '1 × 1'],
    ['animated', async () => dataUri(await animated(), 'image/webp'), '2 frames'],
    ['CMYK', async () => dataUri(await cmyk(), 'image/jpeg'), 'CMYK'],
    [
      'called PNG, a JPEG',
      async () => dataUri(await drawing(16, 16).jpeg().toBuffer()),
      'it is called image/png, but it is image/jpeg',
    ],
    ['a GIF', async () => dataUri(await drawing(16, 16).gif().toBuffer(), 'image/gif'), 'gif'],
    ['base64 garbage', async () => 'data:image/png;base64,@@@@', 'no base64'],
    ['base64 of an odd length', async () => 'data:image/png;base64,AAAAA', 'no base64'],
    ['no base64 at all', async () => 'data:image/png,hello', 'without base64'],
    ['too many bytes', async () => `data:image/png;base64,${'AAAA'.repeat(2000)}`, '4096 bytes'],
    ['no address', async () => 'picture.png', 'no address'],
    ['a file of the server', async () => 'file:///etc/passwd', 'scheme is file:'],
  ])('%s', async (_, make, says) => refused(closed, [image(await make())], says));

  test('the place of a later one is told; more than are allowed are refused unread', async () => {
    const good = dataUri(await drawing(12, 12).png().toBuffer());
    const second = place.replace('content[0]', 'content[2]');
    await refused(
      closed,
      [image(good), { type: 'text', text: 'and' }, image('data:image/png;base64,@@@@')],
      'no base64',
      second,
    );
    await refused(closed, [image(good), image(good), image('https://good.example/')], 'more than 2', 'messages');
  });

  test('an image for a model that reads text only', async () => {
    const good = dataUri(await drawing(12, 12).png().toBuffer());
    await refused(closed, [image(good)], 'reads text only', place, 'steered');
    const without = await harness(hello);
    await refused(without, [image(good)], 'reads text only');
    await without.app.close();
  });

  test('a part without its address, and an image of another role', async () => {
    await refused(closed, [{ type: 'image_url' }], 'is required', 'messages[0].content[0].image_url');
    const reply = await closed.app.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      payload: chat({ messages: [{ role: 'system', content: [image('data:,')] }] }),
    });
    expect(reply.statusCode).toBe(400);
    expect(reply.body).toContain('messages of the user');
  });

  test('turned upright as its EXIF says', async () => {
    const upright = await drawing(12, 12).png().toBuffer();
    const turned = await drawing(12, 12).rotate(90).withMetadata({ orientation: 8 }).png().toBuffer();
    for (const bytes of [upright, turned]) await post(closed, [image(dataUri(bytes))]);
    const [one, other] = closed.submitted.map(({ request }) => request.images![0]![0]!.hash);
    expect(other).toBe(one);
  });

  test('a text cannot pretend to hold a picture', async () => {
    const { status } = await post(closed, 'look: \uE0F2image\uE0F3');
    expect(status).toBe(200);
    expect(Buffer.from(closed.submitted[0]!.request.promptIds[0]!).toString()).toBe('bytes<user:look: >assistant:');
    expect(closed.submitted[0]!.request.images).toBeUndefined();
  });
});

describe('addresses', () => {
  const at = (host: string, where = ''): string => `http://${host}:${port}/${where}`;

  test('are not fetched unless the operator allows hosts', async () => {
    await refused(closed, [image('https://good.example/a.png')], 'not fetched here');
    expect(asked).toEqual([]);
  });

  test('an allowed one is fetched', async () => {
    const png = await drawing(12, 12).png().toBuffer();
    pages['/good.png'] = (reply) => reply.writeHead(200, { 'content-type': 'text/plain' }).end(png);
    pages['/hop'] = (reply) => reply.writeHead(302, { location: '/good.png' }).end();
    for (const where of ['good.png', 'hop'])
      expect((await post(open, [image(at('good.example', where))])).status).toBe(200);
    const [one, other] = open.submitted.map(({ request }) => request.images![0]![0]!.hash);
    expect(other).toBe(one);
  });

  test.each([
    ['a host that is not allowed', () => at('other.example'), 'not among those'],
    ['this machine', () => at('127.0.0.1'), 'not public'],
    ['the metadata service', () => 'http://169.254.169.254/latest/meta-data/', 'not public'],
    ['a private IPv4 address as IPv6', () => 'http://[::ffff:10.0.0.1]/', 'not public'],
    ['an address in one number', () => 'http://2130706433/', 'not public'],
    ['a password', () => `http://user:secret@good.example:${port}/`, 'password'],
  ])('%s', async (_, url, says) => {
    await refused(strict, [image(url())], says);
    expect(asked).toEqual([]);
  });

  test.each([
    ['a name that leads inside', () => at('inside.example'), 'not public'],
    ['a name of which one address leads inside', () => at('both.example'), 'not public'],
    ['a name without an address', () => at('nowhere.example'), 'no address'],
  ])('%s', async (_, url, says) => {
    await refused(open, [image(url())], says);
    expect(asked).toEqual([]);
  });

  test.each([
    ['to the metadata service', 'http://169.254.169.254/', 'not public'],
    ['to a host that is not allowed', 'http://other.example/', 'not among those'],
    ['to another scheme', 'file:///etc/passwd', 'scheme is file:'],
    ['to itself', '/away', 'redirects more than 3 times'],
  ])('a redirect %s', async (_, location, says) => {
    pages['/away'] = (reply) => reply.writeHead(302, { location }).end();
    await refused(open, [image(at('good.example', 'away'))], says);
  });

  test('a slow host, a long body, a bad status and no image', async () => {
    pages['/slow'] = () => undefined;
    await refused(open, [image(at('good.example', 'slow'))], 'longer than 150 ms');
    let sent = 0;
    pages['/long'] = (reply) => {
      // A piece a turn: a loop would keep this process from reading what it writes.
      const more = (): void => {
        if (reply.destroyed) return;
        sent++;
        reply.write(Buffer.alloc(1024), () => setImmediate(more));
      };
      more();
    };
    await refused(open, [image(at('good.example', 'long'))], '4096 bytes');
    expect(sent).toBeLessThan(1000);
    pages['/gone'] = (reply) => reply.writeHead(404).end();
    await refused(open, [image(at('good.example', 'gone'))], 'status 404');
    pages['/text'] = (reply) => reply.end('hello');
    await refused(open, [image(at('good.example', 'text'))], 'no image');
  });

  test('which ones are public, and which hosts allowed', () => {
    const inside = [
      '127.0.0.1',
      '10.0.0.1',
      '192.168.1.1',
      '172.16.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
    ];
    const mapped = inside.map((address) => `::ffff:${address}`);
    const six = [
      '::1',
      '::',
      'fe80::1',
      'fc00::1',
      'ff02::1',
      '64:ff9b::a00:1',
      '2002:a00:1::',
      '::7f00:1',
      'nonsense',
    ];
    for (const address of [...inside, ...mapped, ...six])
      expect({ address, open: isPublic(address) }).toEqual({ address, open: false });
    for (const address of ['93.184.216.34', '2606:2800:220:1:248:1893:25c8:1946']) expect(isPublic(address)).toBe(true);
    expect(isAllowed('a.example.org', ['*.example.org'])).toBe(true);
    expect(isAllowed('example.org', ['*.example.org'])).toBe(false);
    expect(isAllowed('evil-example.org', ['*.example.org', 'example.org'])).toBe(false);
    expect(isAllowed('EXAMPLE.org', ['example.ORG'])).toBe(true);
  });
});
