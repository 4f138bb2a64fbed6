// The whole way with models on the device: an HTTP client streams from a steered deployment, the answer is the CPU's, and hardly anything
// has crossed the bus.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, serve, type Served } from '../support/served.js';

const folder = mkdtempSync(path.join(tmpdir(), 'trimtab-gpu-'));
const question = { messages: [{ role: 'user', content: 'Can you tell me what Tar Alley smells of?' }] };

function configFor(device: 'cpu' | 'webgpu'): string {
  const model = (name: string) => ({ path: path.join(root, 'models/pocket', name), device });
  const file = path.join(folder, `${device}.json`);
  const document = {
    models: { pocket: model('large'), 'pocket-small': model('small'), 'pocket-chat': model('small-chat') },
    deployments: {
      'pocket-eft': {
        decoding: { method: 'eft', base: 'pocket', tuned: 'pocket-chat', reference: 'pocket-small', weight: 0.6 },
      },
    },
  };
  writeFileSync(file, JSON.stringify(document));
  return file;
}

/** The streamed text, and how many tokens it had. */
async function streamed(url: string, more: object): Promise<{ readonly text: string; readonly tokens: number }> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'pocket-eft', stream: true, max_tokens: 16, ...question, ...more }),
  });
  const body = await response.text();
  expect(response.status, body).toBe(200);
  const chunks = [...body.matchAll(/^data: (\{.*\})$/gm)].map(
    ([, json]) =>
      JSON.parse(json ?? '') as { readonly choices: readonly { readonly delta: { readonly content?: string } }[] },
  );
  const pieces = chunks.flatMap(({ choices }) => choices.flatMap(({ delta }) => delta.content ?? []));
  return { text: pieces.join(''), tokens: pieces.filter((piece) => piece !== '').length };
}

async function bytes(url: string): Promise<{ readonly read: number; readonly uploaded: number }> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const sum = (name: string): number =>
    [...metrics.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  return { read: sum('trimtab_device_read_bytes_total'), uploaded: sum('trimtab_device_upload_bytes_total') };
}

describe('pocket-eft on the device', () => {
  let device: Served;
  let host: Served;
  beforeAll(async () => {
    host = await serve(['--config', configFor('cpu')]);
    device = await serve(['--config', configFor('webgpu')]);
  }, 400_000);
  afterAll(async () => {
    await device.stop();
    await host.stop();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['greedy', { temperature: 0 }],
    ['drawn', { temperature: 0.8, top_p: 0.9, seed: 7 }],
  ])(
    'streams what the CPU streams (%s), with at most 256 bytes read back and 4 KB sent per token',
    async (_, sampling) => {
      const before = await bytes(device.url);
      const there = await streamed(device.url, sampling);
      const here = await streamed(host.url, sampling);
      expect(there.text).toBe(here.text);
      expect(there.tokens).toBeGreaterThan(4);
      // Figures are posted when the engine is idle, at the latest.
      await expect.poll(async () => (await bytes(device.url)).read, { timeout: 10_000 }).toBeGreaterThan(before.read);
      const after = await bytes(device.url);
      expect((after.read - before.read) / there.tokens).toBeLessThanOrEqual(256);
      // The prompt's tokens are sent too.
      expect((after.uploaded - before.uploaded) / there.tokens).toBeLessThanOrEqual(4096);
    },
    300_000,
  );
});
