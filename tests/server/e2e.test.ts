// The whole thing as a user meets it: the built command line, real threads, real kernels, three random-weight llama checkpoints, the stock
// OpenAI client. Weights mean nothing, so what is compared is exact: one way of asking with another, and answers with their equation.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI, { APIUserAbortError, BadRequestError, InternalServerError, NotFoundError } from 'openai';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { shapes, writeCheckpoint } from '../../loadtest/bench/checkpoint.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

const root = fileURLToPath(new URL('../../', import.meta.url));
const names = ['large', 'small', 'small-chat'] as const;
const vocab = shapes.tiny.vocab;

let directory: string;
let server: ChildProcess;
let url: string;
let client: OpenAI;
let output = '';

/** Standard output so far, until it holds a match. */
async function printed(pattern: RegExp): Promise<RegExpMatchArray> {
  for (;;) {
    const match = output.match(pattern);
    if (match !== null) return match;
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}: ${output}`);
    await Promise.race([once(server.stdout!, 'data'), once(server, 'exit')]);
  }
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'trimtab-e2e-'));
  for (const [seed, name] of names.entries()) await writeCheckpoint(shapes.tiny, path.join(directory, name), seed + 1);
  const config = {
    models: Object.fromEntries(names.map((name) => [name, { path: name, weights: 'f32' }])),
    deployments: {
      steered: { decoding: { method: 'eft', base: 'large', tuned: 'small-chat', reference: 'small', weight: 1 } },
    },
    limits: { maxWaiting: 512, prefixCacheBytes: 0, stepMs: null, waitMs: null, firstTokenMs: null },
    runtime: { threads: 1 },
    artifactDirectory: 'artifacts',
  };
  await writeFile(path.join(directory, 'trimtab.config.json'), JSON.stringify(config));
  const cli = path.join(root, 'dist/server/cli.js');
  const args = [cli, 'serve', '--config', path.join(directory, 'trimtab.config.json'), '--port', '0'];
  server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [server.stdout!, server.stderr!])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  url = (await printed(/on (http:\/\/\S+)/))[1]!;
  await printed(/ready in/);
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
});

afterAll(async () => {
  if (server.exitCode === null) server.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

/** Ids of tokens that are ordinary text. */
const prompt = (length: number, salt = 0): number[] =>
  Array.from({ length }, (_, index) => 300 + ((index * 37 + salt * 101) % 200));

const messages = [{ role: 'user' as const, content: 'Who keeps the lighthouse?' }];

/** OpenAI's parameters and ours: extensions travel in the body as they do from any client. */
type Extended<T> = T & { ignore_eos?: boolean; decoding?: object; return_token_ids?: boolean };

interface Completion {
  readonly choices: readonly {
    readonly index: number;
    readonly text: string;
    readonly finish_reason: string;
    readonly token_ids?: readonly number[];
    readonly logprobs: {
      readonly tokens: readonly string[];
      readonly token_logprobs: readonly (number | null)[];
      readonly text_offset: readonly number[];
      readonly full?: readonly string[];
    } | null;
  }[];
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
  readonly decoding: { readonly method: string; readonly models: readonly string[]; readonly forwards: object };
}

async function complete(body: object): Promise<Completion> {
  const base = {
    model: 'large',
    prompt: prompt(12),
    max_tokens: 12,
    ignore_eos: true,
    temperature: 0,
    return_token_ids: true,
  };
  return client.post<Completion>('/completions', { body: { ...base, ...body } });
}

const row = (base64: string): Float32Array => {
  const bytes = Buffer.from(base64, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
};

const logSoftmax = (scores: readonly number[]): number[] => {
  const maximum = Math.max(...scores);
  const normaliser = maximum + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - maximum), 0));
  return scores.map((score) => score - normaliser);
};

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Reads until it holds; the test's own time limit ends a wait in vain. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('the stock client', () => {
  test('lists and finds models', async () => {
    const listed = [];
    for await (const model of client.models.list()) listed.push(model.id);
    expect(listed.sort()).toEqual([...names, 'steered'].sort());
    expect((await client.models.retrieve('steered')).object).toBe('model');
  });

  test.each(['large', 'steered'])('streams what it would answer at once: %s', async (model) => {
    const body = { model, messages, max_tokens: 24, temperature: 0, seed: 1 };
    const whole = await client.chat.completions.create(body);
    const stream = client.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    const final = await stream.finalChatCompletion();
    expect(text).toBe(whole.choices[0]!.message.content);
    expect(final.choices[0]!.message.content).toBe(text);
    expect(final.choices[0]!.finish_reason).toBe(whole.choices[0]!.finish_reason);
    expect(final.usage).toMatchObject({
      prompt_tokens: whole.usage!.prompt_tokens,
      completion_tokens: whole.usage!.completion_tokens,
    });
  });

  test('says what was applied', async () => {
    const reply = await complete({ model: 'steered' });
    expect(reply.decoding).toMatchObject({
      method: 'eft',
      parameters: { weight: 1 },
      seed: expect.any(Number) as number,
    });
    expect([...reply.decoding.models].sort()).toEqual([...names].sort());
    expect(Object.keys(reply.decoding.forwards).sort()).toEqual([...names].sort());
    expect(reply.usage).toMatchObject({ prompt_tokens: 12, completion_tokens: 12 });
  });

  test('raises typed errors', async () => {
    const body = { model: 'large', messages };
    await expect(client.chat.completions.create({ ...body, model: 'nope' })).rejects.toThrow(NotFoundError);
    await expect(client.chat.completions.create({ ...body, temperature: 9 })).rejects.toThrow(BadRequestError);
    const unknown = client.chat.completions.create({ ...body, decoding: { wieght: 2 } } as Extended<typeof body>);
    await expect(unknown).rejects.toMatchObject({ status: 400, code: 'unknown_key', param: 'decoding.wieght' });
    const long = client.completions.create({ model: 'large', prompt: prompt(2048), max_tokens: 1 });
    await expect(long).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
    await expect(long).rejects.toThrow(/2048/);
  });

  test('breaking out of a stream frees its rows', async () => {
    const idle = await metric('trimtab_cache_rows');
    const body = { model: 'steered', messages, max_tokens: 1500, stream: true, ignore_eos: true } as const;
    for await (const chunk of await client.chat.completions.create(body as Extended<typeof body>)) {
      if ((chunk.choices[0]?.delta.content ?? '') !== '') break;
    }
    await eventually(
      async () => (await metric('trimtab_cache_rows')) === idle && (await metric('vllm:num_requests_running')) === 0,
    );
    const controller = new AbortController();
    const pending = client.chat.completions.create(
      {
        model: 'large',
        messages,
        max_tokens: 1500,
        ignore_eos: true,
      } as Extended<OpenAI.ChatCompletionCreateParamsNonStreaming>,
      { signal: controller.signal },
    );
    controller.abort();
    await expect(pending).rejects.toThrow(APIUserAbortError);
    await eventually(async () => (await metric('vllm:num_requests_running')) === 0);
  });
});

describe('the equation', () => {
  test('EFT is log-softmax(L + w(F − S)) of the members’ own log-probabilities, at every position', async () => {
    const weight = 1.5;
    const decoding = { method: 'eft', base: 'large', tuned: 'small-chat', reference: 'small', weight };
    const steered = await complete({ decoding, logprobs: -1, max_tokens: 6 });
    const answer = steered.choices[0]!;
    for (const [position, encoded] of answer.logprobs!.full!.entries()) {
      const ids = [...prompt(12), ...answer.token_ids!.slice(0, position)];
      const members = await Promise.all(
        ['large', 'small-chat', 'small'].map(async (model) => {
          const reply = await complete({ model, prompt: ids, max_tokens: 1, logprobs: -1 });
          return row(reply.choices[0]!.logprobs!.full![0]!);
        }),
      );
      const [large, tuned, reference] = members as [Float32Array, Float32Array, Float32Array];
      const expected = logSoftmax(Array.from(large, (value, id) => value + weight * (tuned[id]! - reference[id]!)));
      const got = row(encoded);
      expect(got).toHaveLength(vocab);
      const worst = Math.max(...expected.map((value, id) => Math.abs(value - got[id]!)));
      expect(worst).toBeLessThan(1e-4);
      // Greedy: the chosen token is the most likely one, and its logprob is the row's.
      const chosen = answer.token_ids![position]!;
      expect(got[chosen]).toBe(Math.max(...got));
      expect(answer.logprobs!.token_logprobs[position]).toBeCloseTo(got[chosen]!, 5);
    }
  });

  test('a weight of 0 is the base, and a tuned model equal to its reference changes nothing', async () => {
    const plain = await complete({});
    const eft = { method: 'eft', base: 'large', tuned: 'small-chat', reference: 'small' };
    const off = await complete({ decoding: { ...eft, weight: 0 } });
    const same = await complete({ decoding: { ...eft, tuned: 'small', weight: 1 } });
    expect(off.choices[0]!.token_ids).toEqual(plain.choices[0]!.token_ids);
    expect(same.choices[0]!.token_ids).toEqual(plain.choices[0]!.token_ids);
  });
});

describe('one way of asking and another', () => {
  test('a list of prompts is each prompt alone', async () => {
    const prompts = [prompt(5), prompt(9, 1), prompt(30, 2)];
    const together = await complete({ prompt: prompts, temperature: 1, seed: 3 });
    for (const [index, one] of prompts.entries()) {
      const alone = await complete({ prompt: one, temperature: 1, seed: 3 });
      expect(together.choices[index]!.token_ids).toEqual(alone.choices[0]!.token_ids);
    }
  });

  test('a seed gives the same answer again, choices differ', async () => {
    const ask = () => complete({ n: 3, temperature: 1, seed: 11 });
    const [first, second] = await Promise.all([ask(), ask()]);
    const texts = first.choices.map(({ token_ids: ids }) => ids!.join());
    expect(second.choices.map(({ token_ids: ids }) => ids!.join())).toEqual(texts);
    expect(new Set(texts).size).toBe(3);
  });

  test('a stop string ends the answer where the free answer has it', async () => {
    const free = (await complete({ max_tokens: 40 })).choices[0]!;
    const stop = free.text.slice(10, 14);
    const reply = await complete({ max_tokens: 40, stop: [stop] });
    expect(reply.choices[0]).toMatchObject({
      text: free.text.slice(0, free.text.indexOf(stop)),
      finish_reason: 'stop',
      stop_reason: stop,
    });
  });

  test('echoed log-probabilities of an answer are those with which it was generated', async () => {
    const answer = (await complete({ logprobs: 0 })).choices[0]!;
    const scored = await complete({
      prompt: [...prompt(12), ...answer.token_ids!],
      echo: true,
      logprobs: 0,
      max_tokens: 0,
    });
    const { token_logprobs: echoed, text_offset: offsets } = scored.choices[0]!.logprobs!;
    expect(echoed[0]).toBeNull();
    expect(offsets).toHaveLength(24);
    answer.logprobs!.token_logprobs.forEach((logprob, index) => expect(echoed[12 + index]).toBeCloseTo(logprob!, 4));
  });
});

describe('many at once', () => {
  const asks = Array.from({ length: 64 }, (_, index) => ({
    model: index % 2 === 0 ? 'large' : 'steered',
    prompt: prompt(4 + (index % 29), index),
    max_tokens: 8 + (index % 17),
    temperature: index % 3 === 0 ? 0 : 1,
    seed: index,
    logprobs: 1,
  }));

  test('64 mixed streams: each answer is the one it gets alone', async () => {
    const streamed = await Promise.all(
      asks.map(async (ask) => {
        const body = { ...ask, stream: true, ignore_eos: true } as const;
        let text = '';
        for await (const chunk of await client.completions.create(body as Extended<typeof body>)) {
          text += chunk.choices[0]?.text ?? '';
        }
        return text;
      }),
    );
    for (const [index, ask] of asks.entries()) expect(streamed[index]).toBe((await complete(ask)).choices[0]!.text);
  });

  test('killing 32 clients in mid-stream returns every row', async () => {
    await eventually(async () => (await metric('vllm:num_requests_running')) === 0);
    const idle = await metric('trimtab_cache_rows');
    const controllers = asks.slice(0, 32).map(() => new AbortController());
    await Promise.all(
      controllers.map(async (controller, index) => {
        const body = JSON.stringify({ ...asks[index], max_tokens: 1500, ignore_eos: true, stream: true });
        const { signal } = controller;
        const headers = { 'content-type': 'application/json' };
        const response = await fetch(`${url}/v1/completions`, { method: 'POST', body, headers, signal });
        await response.body!.getReader().read();
      }),
    );
    expect(await metric('trimtab_cache_rows')).toBeGreaterThan(idle);
    for (const controller of controllers) controller.abort();
    await eventually(async () => (await metric('trimtab_cache_rows')) === idle);
    expect(await metric('vllm:num_requests_running')).toBe(0);
  });
});

describe('the end', () => {
  test('SIGTERM lets what runs finish, refuses what comes, and ends with 0', async () => {
    const body = { model: 'large', messages, max_tokens: 64, stream: true, ignore_eos: true, temperature: 0 } as const;
    const stream = await client.chat.completions.create(body as Extended<typeof body>);
    const exited = once(server, 'exit');
    let text = '';
    let finished: string | null = null;
    try {
      for await (const chunk of stream) {
        const before = text;
        text += chunk.choices[0]?.delta.content ?? '';
        // Once: a second signal would end the process at once.
        if (before === '' && text !== '') server.kill('SIGTERM');
        finished = chunk.choices[0]?.finish_reason ?? finished;
      }
    } catch (error) {
      throw new Error(`cut after ${text.length} characters; the server said: ${output}`, { cause: error });
    }
    expect(finished).toBe('length');
    const [code] = (await exited) as [number];
    expect(code).toBe(0);
    await expect(client.models.list()).rejects.not.toBeInstanceOf(InternalServerError);
  });
});
