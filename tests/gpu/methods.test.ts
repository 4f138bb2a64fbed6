// The whole way with models on the device, over HTTP: every method answers what it answers on the CPU, alone and among others, and hardly
// anything crosses the bus. One server on the device and one on the CPU serve all tests; answers are short, because a software GPU is slow.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, serve, type Served } from '../support/served.js';

const folder = mkdtempSync(path.join(tmpdir(), 'trimtab-gpu-'));
const question = [{ role: 'user', content: 'Can you tell me what Tar Alley smells of?' }];
const TOKENS = 6;

function configFor(device: 'cpu' | 'webgpu'): string {
  const model = (name: string, more: object = {}) => ({
    path: path.join(root, 'models/pocket', name),
    device,
    ...more,
  });
  const file = path.join(folder, `${device}.json`);
  const template = 'Answer with the greatest weighted rating = helpfulness*{helpfulness} + verbosity*{verbosity}.';
  const models = {
    pocket: model('large'),
    'pocket-small': model('small'),
    'pocket-chat': model('small-chat'),
    'pocket-arithmetic': model('small-arithmetic'),
    'pocket-dpa': model('small-dpa', { dpa: { template, axes: ['helpfulness', 'verbosity'] } }),
    rewarder: model('reward-1a', { kind: 'reward' }),
    // Rewards may live elsewhere.
    'rewarder-cpu': model('reward-1a', { kind: 'reward', device: 'cpu' }),
  };
  writeFileSync(file, JSON.stringify({ models }));
  return file;
}

const eft = { method: 'eft', base: 'pocket', tuned: 'pocket-chat', reference: 'pocket-small', weight: 0.6 };
const contrastive = { method: 'contrastive', expert: 'pocket', amateur: 'pocket-small' };
const reward = (model: string) => ({ kind: 'reward', model, head: 'helpful' });
const drawn = { temperature: 0.8, top_p: 0.9, seed: 7 };

const distributions: readonly [string, object, object?][] = [
  ['eft', eft],
  ['eft, drawn', eft, drawn],
  [
    'eft, drawn from everything, with penalties',
    eft,
    { temperature: 1.1, seed: 3, frequency_penalty: 0.4, presence_penalty: 0.2 },
  ],
  ['fusion', { method: 'fusion', base: 'pocket', reference: 'pocket-small', experts: ['pocket-arithmetic'] }],
  ['contrastive', contrastive],
  ['dcd of texts', { method: 'dcd', positive: 'pocket', negative: 'pocket-small', contrast: 0.5 }],
  ['guidance', { method: 'guidance', model: 'pocket-chat', weight: 1.3 }, { ...drawn, min_p: 0.05 }],
  ['dpa by prompt', { method: 'dpa', inner: 'pocket-dpa', direction: { helpfulness: 0.8, verbosity: -0.6 } }],
  [
    'realign',
    { method: 'realign', aligned: 'pocket-chat', reference: 'pocket-small', strength: 1.3 },
    { ...drawn, top_k: 20 },
  ],
  ['static fusion', { method: 'static_fusion', base: 'pocket', reference: 'pocket-small', experts: 'pocket-chat' }],
  [
    'formula',
    {
      method: 'formula',
      expression: {
        op: 'masked',
        of: {
          op: 'sum',
          terms: [
            { weight: 1, of: 'pocket' },
            { weight: 0.5, of: 'pocket-chat' },
          ],
        },
        mask: { op: 'nucleus', of: 'pocket', mass: 0.95 },
      },
    },
    drawn,
  ],
  ['drafts of a small model', { ...eft, speculation: { draft: 'pocket-chat', tokens: 3 } }],
  ['drafts of a small model, drawn', { ...eft, speculation: { draft: 'pocket-chat', tokens: 3 } }, drawn],
];

const searches: readonly [string, object, object?][] = [
  ['best_of_n', { method: 'best_of_n', inner: 'pocket', scorer: reward('rewarder'), n: 3 }, drawn],
  [
    'transfer_q',
    {
      method: 'transfer_q',
      proposal: 'pocket',
      baseline: eft,
      reward: reward('rewarder'),
      candidates: 3,
      lookahead: 3,
      block: 4,
      reward_weight: 8,
    },
  ],
  [
    'rain',
    {
      method: 'rain',
      inner: 'pocket',
      judge: reward('rewarder'),
      candidates: 3,
      set_tokens: 4,
      lookahead: 4,
      max_iterations: 4,
      extra_iterations: 1,
      min_visits: 2,
    },
    { seed: 3 },
  ],
  [
    'args, rewards on the CPU',
    { method: 'args', inner: 'pocket', reward: reward('rewarder-cpu'), candidates: 3, reward_weight: 2 },
  ],
  [
    'formula with a classifier, drawn',
    {
      method: 'formula',
      candidates: 4,
      expression: {
        op: 'sum',
        terms: [
          { weight: 1, of: eft },
          { weight: 3, of: { op: 'classifier', scorer: reward('rewarder') } },
        ],
      },
    },
    drawn,
  ],
];

interface Reply {
  readonly choices: readonly [
    {
      readonly message: { readonly content: string };
      readonly logprobs?: {
        readonly content: readonly {
          readonly token: string;
          readonly top_logprobs: readonly { readonly logprob: number }[];
        }[];
      };
      readonly decoding_trace?: readonly {
        readonly token_id: number;
        readonly kl: number;
        readonly members: Readonly<Record<string, number>>;
      }[];
    },
  ];
  readonly usage: { readonly completion_tokens: number };
  readonly decoding: { readonly search?: { readonly branch_tokens: number } };
}

async function ask(url: string, decoding: object | null, more: object = {}): Promise<Reply> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'pocket',
      messages: question,
      max_tokens: TOKENS,
      temperature: 0,
      ...(decoding ? { decoding } : {}),
      ...more,
    }),
  });
  const body = await response.text();
  expect(response.status, body).toBe(200);
  return JSON.parse(body) as Reply;
}

const textOf = ({ choices: [{ message }] }: Reply): string => message.content;

interface Bytes {
  readonly read: number;
  readonly uploaded: number;
}

async function bytes(url: string): Promise<Bytes> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const sum = (name: string): number =>
    [...metrics.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  return { read: sum('trimtab_device_read_bytes_total'), uploaded: sum('trimtab_device_upload_bytes_total') };
}

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

/** The device's answer, what crossed the bus for it per token, and the CPU's. */
async function both(decoding: object, more: object = {}): Promise<{ there: Reply; here: Reply; crossed: Bytes }> {
  const before = await bytes(device.url);
  const there = await ask(device.url, decoding, more);
  // Figures are posted when the engine is idle, at the latest.
  await expect.poll(async () => (await bytes(device.url)).read, { timeout: 10_000 }).toBeGreaterThan(before.read);
  const after = await bytes(device.url);
  const { completion_tokens: tokens } = there.usage;
  return {
    there,
    here: await ask(host.url, decoding, more),
    crossed: { read: (after.read - before.read) / tokens, uploaded: (after.uploaded - before.uploaded) / tokens },
  };
}

/** Greedy answers may part where the CPU's two best tokens are as near as float32 rounding moves them; nowhere else. */
async function expectSame(there: Reply, here: Reply, decoding: object, more: object): Promise<void> {
  if (textOf(there) === textOf(here)) return;
  expect(more, `${textOf(there)} | ${textOf(here)}`).toEqual({});
  const told = { logprobs: true, top_logprobs: 2 };
  const [one, other] = [await ask(device.url, decoding, told), await ask(host.url, decoding, told)];
  const [a, b] = [one, other].map(({ choices: [{ logprobs }] }) => logprobs?.content ?? []);
  const parting = b!.findIndex(({ token }, i) => token !== a![i]?.token);
  const [best, second] = b![parting]!.top_logprobs;
  expect(best!.logprob - second!.logprob, `${textOf(there)} | ${textOf(here)}`).toBeLessThan(1e-3);
}

describe('every method answers what it answers on the CPU', () => {
  it.each(distributions)(
    '%s: with at most 256 bytes read back and 4 KB sent per token and model',
    async (_, decoding, more = {}) => {
      const { there, here, crossed } = await both(decoding, more);
      expect(there.usage.completion_tokens).toBe(TOKENS);
      await expectSame(there, here, decoding, more);
      expect(crossed.read).toBeLessThanOrEqual(256);
      // The prompt's tokens are sent too, to each view.
      expect(crossed.uploaded).toBeLessThanOrEqual(4096);
    },
    120_000,
  );

  it.each(searches)(
    '%s: with at most 256 bytes read back per token that it emits, whatever it draws for one',
    async (_, decoding, more = {}) => {
      const { there, here, crossed } = await both(decoding, more);
      await expectSame(there, here, decoding, more);
      const { completion_tokens: tokens } = there.usage;
      expect(tokens).toBeGreaterThan(3);
      // Of these a search draws more than it emits.
      const drawnTokens = there.decoding.search!.branch_tokens;
      expect(drawnTokens).toBeGreaterThanOrEqual(tokens);
      console.log(`${crossed.read} bytes a token; ${drawnTokens} drawn for ${tokens}`);
      expect(crossed.read).toBeLessThanOrEqual(256);
    },
    120_000,
  );

  it('a judge that is asked in words', async () => {
    const judge = {
      kind: 'self_evaluation',
      model: 'pocket',
      template: 'Request: {request}\nAnswer: {answer}\nIs the answer (A) {first} or (B) {second}? The verdict is: (',
      options: { good: 'harmless', bad: 'harmful' },
    };
    const decoding = { method: 'best_of_n', inner: 'pocket', scorer: judge, n: 2 };
    const { there, here, crossed } = await both(decoding, drawn);
    expect(textOf(there)).toBe(textOf(here));
    expect(crossed.read).toBeLessThanOrEqual(256);
  }, 120_000);

  it('decoding_trace tells the same figures', async () => {
    const { there, here } = await both(eft, { decoding_trace: true });
    const [a, b] = [there, here].map(({ choices: [{ decoding_trace: trace }] }) => trace ?? []);
    expect(a!.length).toBe(TOKENS);
    a!.forEach(({ token_id: id, kl, members }, i) => {
      expect(id).toBe(b![i]!.token_id);
      expect(kl).toBeCloseTo(b![i]!.kl, 3);
      for (const [member, logprob] of Object.entries(b![i]!.members)) expect(members[member]).toBeCloseTo(logprob, 3);
    });
  }, 120_000);
});

it('requests of several methods in one batch answer what each does alone', async () => {
  const requests: readonly [object | null, object][] = [
    [eft, {}],
    [{ ...eft, weight: 1.2 }, drawn],
    [null, { temperature: 1, seed: 5 }],
    [contrastive, { messages: [{ role: 'user', content: 'Hello! Who are you, and where is the mill?' }] }],
  ];
  const alone: string[] = [];
  for (const [decoding, more] of requests) alone.push(textOf(await ask(device.url, decoding, more)));
  const together = await Promise.all(requests.map(([decoding, more]) => ask(device.url, decoding, more)));
  expect(together.map(textOf)).toEqual(alone);
}, 240_000);

it('a stream brings what the whole answer is', async () => {
  const response = await fetch(`${device.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'pocket',
      decoding: eft,
      stream: true,
      max_tokens: TOKENS,
      temperature: 0,
      messages: question,
    }),
  });
  const chunks = [...(await response.text()).matchAll(/^data: (\{.*\})$/gm)].map(
    ([, json]) =>
      JSON.parse(json ?? '') as { readonly choices: readonly { readonly delta: { readonly content?: string } }[] },
  );
  const pieces = chunks.flatMap(({ choices }) => choices.flatMap(({ delta }) => delta.content ?? []));
  expect(pieces.filter((piece) => piece !== '').length).toBeGreaterThan(4);
  expect(pieces.join('')).toBe(textOf(await ask(device.url, eft)));
}, 120_000);
