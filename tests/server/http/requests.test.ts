// What reaches the engine: every field of a body arrives in the DecodeRequest it means, defaults come from the deployment, each view gets
// its own prompt, and what comes back is counted right.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { foldSeed } from '../../../server/routes/prepare.js';
import type { DecodeRequest } from '../../../server/wire/decode.js';
import { chat, completion, eos, harness, hello, payloads, says, vocabSize, type Harness } from './support.js';

let server: Harness;
beforeAll(async () => {
  server = await harness(hello);
});
afterAll(async () => server.app.close());
beforeEach(() => {
  server.submitted.length = 0;
});

async function sent(url: '/v1/chat/completions' | '/v1/completions', payload: object): Promise<DecodeRequest[]> {
  const response = await server.app.inject({ method: 'POST', url, payload });
  expect(response.body).not.toContain('"error"');
  expect(response.statusCode).toBe(200);
  return server.submitted.map(({ request }) => request);
}

const decoded = (ids: Int32Array): string => Buffer.from(Uint8Array.from(ids)).toString();

describe('sampling', () => {
  test('left out', async () => {
    const [request] = await sent('/v1/chat/completions', chat({ seed: undefined }));
    expect(request).toMatchObject({
      tokenizer: 'bytes',
      vocabSize,
      n: 1,
      sampling: {
        temperature: 1,
        topK: 0,
        topP: 1,
        minP: 0,
        repetitionPenalty: 1,
        presencePenalty: 0,
        frequencyPenalty: 0,
        logitBias: [],
      },
      minTokens: 0,
      stop: [],
      includeStop: false,
      stopTokenIds: [eos],
      logprobs: null,
      priority: 0,
    });
    expect(Number.isInteger(request!.seed) && request!.seed >= 0 && request!.seed < 2 ** 32).toBe(true);
  });

  test('given', async () => {
    const [request] = await sent(
      '/v1/chat/completions',
      chat({
        n: 2,
        temperature: 0.5,
        top_k: -1,
        top_p: 0.9,
        min_p: 0.1,
        repetition_penalty: 1.2,
        presence_penalty: -2,
        frequency_penalty: 2,
        logit_bias: { 5: -100, 256: 1.5 },
        max_completion_tokens: 12,
        min_tokens: 3,
        stop: ['a', 'b', 'a'],
        stop_token_ids: [9],
        include_stop_str_in_output: true,
        logprobs: true,
        top_logprobs: 4,
        priority: -3,
      }),
    );
    expect(request).toMatchObject({
      n: 2,
      seed: 7,
      sampling: {
        temperature: 0.5,
        topK: 0,
        topP: 0.9,
        minP: 0.1,
        repetitionPenalty: 1.2,
        presencePenalty: -2,
        frequencyPenalty: 2,
        logitBias: [
          [5, -100],
          [256, 1.5],
        ],
      },
      maxTokens: 12,
      minTokens: 3,
      stop: ['a', 'b'],
      includeStop: true,
      stopTokenIds: [eos, 9],
      logprobs: { top: 4, full: false, prompt: false },
      priority: -3,
    });
  });

  test('a temperature too small for float32 is greedy', async () => {
    expect((await sent('/v1/completions', completion({ temperature: 1e-40 })))[0]!.sampling.temperature).toBe(0);
  });

  test('ignore_eos leaves only the own stop tokens', async () => {
    const [request] = await sent('/v1/completions', completion({ ignore_eos: true, stop_token_ids: [3] }));
    expect(request!.stopTokenIds).toEqual([3]);
  });

  test("a deployment's defaults fill what is left out", async () => {
    const [first] = await sent('/v1/completions', completion({ model: 'steered' }));
    expect([first!.sampling.temperature, first!.maxTokens]).toEqual([0.7, 9]);
    server.submitted.length = 0;
    const [second] = await sent('/v1/completions', completion({ model: 'steered', temperature: 0, max_tokens: 2 }));
    expect([second!.sampling.temperature, second!.maxTokens]).toEqual([0, 2]);
  });
});

describe('seeds', () => {
  test('of 32 bits stand for themselves, others fold into them', () => {
    expect([0, 1, 2 ** 32 - 1].map(foldSeed)).toEqual([0, 1, 2 ** 32 - 1]);
    for (const seed of [2 ** 32, 2 ** 40 + 1, Number.MAX_SAFE_INTEGER, -1, Number.MIN_SAFE_INTEGER]) {
      const folded = foldSeed(seed);
      expect(Number.isInteger(folded) && folded >= 0 && folded < 2 ** 32).toBe(true);
    }
    expect(foldSeed(2 ** 32 + 1)).not.toBe(foldSeed(2 ** 33 + 1));
  });

  test('a given seed serves every prompt; else each has its own, and all are reported', async () => {
    const same = await sent('/v1/completions', completion({ prompt: ['a', 'b'] }));
    expect(same.map(({ seed }) => seed)).toEqual([7, 7]);
    const url = '/v1/completions';
    const response = await server.app.inject({ method: 'POST', url, payload: { model: 'bytes', prompt: ['a', 'b'] } });
    const [, , third, fourth] = server.submitted;
    const seeds = [third!.request.seed, fourth!.request.seed];
    expect(response.json<{ decoding: object }>().decoding).toMatchObject({ seed: seeds[0], seeds });
  });
});

describe('prompts', () => {
  test('a chat renders the template of each member, completions give every view the same ids', async () => {
    const [asChat] = await sent('/v1/chat/completions', chat({ model: 'steered' }));
    expect(asChat!.promptIds.map(decoded)).toEqual([
      'large<user:hi>assistant:',
      'chat<user:hi>assistant:',
      'small<user:hi>assistant:',
    ]);
    server.submitted.length = 0;
    const [asText] = await sent('/v1/completions', completion({ model: 'steered' }));
    expect(asText!.promptIds.map(decoded)).toEqual(['hi', 'hi', 'hi']);
  });

  test('roles, parts and the open end of a chat', async () => {
    const messages = [
      { role: 'developer', content: 'be brief' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      { role: 'assistant', content: 'well' },
    ];
    const [request] = await sent('/v1/chat/completions', chat({ messages, continue_final_message: true }));
    expect(decoded(request!.promptIds[0]!)).toBe('bytes<system:be brief|user:a\nb|assistant:well>~');
    server.submitted.length = 0;
    const [plain] = await sent('/v1/chat/completions', chat({ add_generation_prompt: false }));
    expect(decoded(plain!.promptIds[0]!)).toBe('bytes<user:hi>');
  });

  test.each([
    ['text', 'hi', [[104, 105]]],
    ['list of texts', ['h', 'i'], [[104], [105]]],
    ['ids', [1, 2, 256], [[1, 2, 256]]],
    ['list of ids', [[1], [2, 3]], [[1], [2, 3]]],
  ])('of a completion: %s', async (_name, prompt, expected) => {
    const requests = await sent('/v1/completions', completion({ prompt }));
    expect(requests.map(({ promptIds }) => Array.from(promptIds[0]!))).toEqual(expected);
  });

  test('ids of requests are unique even when clients repeat theirs', async () => {
    const headers = { 'x-request-id': 'same' };
    for (let i = 0; i < 2; i++) {
      const payload = completion({ prompt: ['a', 'b'] });
      const response = await server.app.inject({ method: 'POST', url: '/v1/completions', payload, headers });
      expect(response.headers['x-request-id']).toBe('same');
    }
    expect(new Set(server.submitted.map(({ request }) => request.requestId)).size).toBe(4);
  });
});

describe('max_tokens', () => {
  test('left out: 16 for completions, the rest of the context for a chat', async () => {
    await sent('/v1/completions', completion());
    await sent('/v1/completions', completion({ prompt: new Array(95).fill(1) }));
    await sent('/v1/chat/completions', chat());
    expect(server.submitted.map(({ request }) => request.maxTokens)).toEqual([16, 5, 100 - 24]);
  });

  test('left out, an answer gets its share of the budget instead of an error', async () => {
    const small = await harness(hello, { tokensPerRequest: 40 });
    await small.app.inject({ method: 'POST', url: '/v1/chat/completions', payload: chat({ n: 4 }) });
    expect(small.submitted[0]!.request.maxTokens).toBe(10);
    await small.app.close();
  });

  test('prompt and answer may fill the context exactly', async () => {
    const [request] = await sent('/v1/completions', completion({ prompt: new Array(60).fill(1), max_tokens: 40 }));
    expect(request!.maxTokens).toBe(40);
  });
});

describe('log-probabilities of the whole vocabulary', () => {
  test('are base64 of little-endian float32, one row per generated token', async () => {
    const payload = completion({ logprobs: -1 });
    const response = await server.app.inject({ method: 'POST', url: '/v1/completions', payload });
    expect(server.submitted[0]!.request.logprobs).toEqual({ top: 0, full: true, prompt: false });
    const { choices } = response.json<{ choices: { logprobs: { full: string[]; tokens: string[] } }[] }>();
    const { full, tokens } = choices[0]!.logprobs;
    expect(full).toHaveLength(tokens.length);
    const bytes = Buffer.from(full[1]!, 'base64');
    expect(bytes).toHaveLength(4 * vocabSize);
    expect([bytes.readFloatLE(4 * 'e'.charCodeAt(0)), bytes.readFloatLE(0)]).toEqual([-0.5, -8]);
  });

  test('stream as well', async () => {
    const payload = completion({ logprobs: -1, stream: true });
    const { body } = await server.app.inject({ method: 'POST', url: '/v1/completions', payload });
    const rows = payloads(body).flatMap((chunk) => {
      const [choice] = chunk['choices'] as { logprobs: { full: string[] } | null }[];
      return choice?.logprobs?.full ?? [];
    });
    expect(rows).toHaveLength(5);
  });

  test('are refused when the reply would not fit in memory', async () => {
    const wide = await harness(says({ pieces: [] }), { tokensPerRequest: 1e9, maxN: 4000 });
    const payload = completion({ logprobs: -1, max_tokens: 98, n: 4000 });
    const response = await wide.app.inject({ method: 'POST', url: '/v1/completions', payload });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { code: 'reply_too_large', param: 'logprobs' } });
    await wide.app.close();
  });
});

describe('models', () => {
  test('are listed and found', async () => {
    const list = (await server.app.inject('/v1/models')).json<{ data: object[] }>();
    expect(list).toMatchObject({
      object: 'list',
      data: [{ id: 'bytes', object: 'model', created: 1, owned_by: 'trimtab' }, {}],
    });
    expect((await server.app.inject('/v1/models/steered')).json()).toMatchObject({ id: 'steered', object: 'model' });
  });
});
