// The stock OpenAI client (6.49) against a server with real weights: every resource that it shares with us, its accumulating helpers, its
// websocket, aborts and typed errors. What an answer says is compared with another way of asking for it.
import { APIError, APIUserAbortError, BadRequestError, NotFoundError, type OpenAI } from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DecoderModel } from '../../../kernels/decoder/model.js';
import { ensureArtifact } from '../../../server/models/artifacts.js';
import { folders, startPocket, type Pocket } from './pocket.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

let server: Pocket;
let client: OpenAI;
beforeAll(async () => {
  server = await startPocket();
  client = server.client;
});
afterAll(async () => server.close());

const content = 'Who keeps the lighthouse?';
const messages = [{ role: 'user' as const, content }];
const models = ['large', 'chat', 'steered'] as const;

/** What the client's types do not know travels in the body, as from any client. */
const extended = <T extends object>(body: T, ours: object): T => ({ ...body, ...ours });

/** /tokenize stands beside /v1. */
async function tokenized(prompt: string): Promise<number[]> {
  const response = await fetch(`${server.url}/tokenize`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'large', prompt }),
  });
  return ((await response.json()) as { tokens: number[] }).tokens;
}

describe('models', () => {
  test('are listed, found and not found', async () => {
    const listed: string[] = [];
    for await (const model of client.models.list()) listed.push(model.id);
    expect(listed.sort()).toEqual(['chat', 'large', 'small', 'steered']);
    expect(await client.models.retrieve('steered')).toMatchObject({ id: 'steered', object: 'model' });
    const missing = client.models.retrieve('nope');
    await expect(missing).rejects.toThrow(NotFoundError);
    await expect(missing).rejects.toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
  });
});

describe('chat', () => {
  test.each(models)('whole, streamed and accumulated are one answer: %s', async (model) => {
    const body = { model, messages, max_completion_tokens: 20, seed: 5, logprobs: true, top_logprobs: 2 };
    const whole = await client.chat.completions.create(body);
    const [choice] = whole.choices;
    expect(whole).toMatchObject({ object: 'chat.completion', model });
    expect(whole.id).toMatch(/^chatcmpl-/);
    expect(choice!.message).toMatchObject({ role: 'assistant', refusal: null });
    const stream = client.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
    let text = '';
    stream.on('content', (delta) => (text += delta));
    const final = await stream.finalChatCompletion();
    expect(text).toBe(choice!.message.content);
    expect(final.choices[0]!.message.content).toBe(text);
    expect(final.choices[0]!.finish_reason).toBe(choice!.finish_reason);
    // The prefix cache may have had the prompt the second time.
    const { prompt_tokens, completion_tokens, total_tokens } = whole.usage!;
    expect(final.usage).toMatchObject({ prompt_tokens, completion_tokens, total_tokens });
    const tokens = (completion: OpenAI.ChatCompletion) =>
      completion.choices[0]!.logprobs!.content!.map(({ token, bytes }) => ({ token, bytes }));
    expect(tokens(final)).toEqual(tokens(whole));
    const bytes = choice!.logprobs!.content!.flatMap((token) => token.bytes!);
    expect(Buffer.from(bytes).toString()).toContain(text);
  });

  test('n = 2 accumulates both choices, which differ', async () => {
    const body = { model: 'large', messages, max_completion_tokens: 24, seed: 1, n: 2, temperature: 1.5 };
    const whole = await client.chat.completions.create(body);
    const final = await client.chat.completions.stream(body).finalChatCompletion();
    const texts = (completion: OpenAI.ChatCompletion) => completion.choices.map(({ message }) => message.content);
    expect(texts(final)).toEqual(texts(whole));
    expect(new Set(texts(whole)).size).toBe(2);
  });

  test('stop, length and logit_bias have their effect', async () => {
    const body = { model: 'large', messages, max_completion_tokens: 20, temperature: 0 };
    const free = await client.chat.completions.create(body);
    const text = free.choices[0]!.message.content!;
    const stop = text.slice(4, 7);
    const stopped = await client.chat.completions.create({ ...body, stop });
    expect(stopped.choices[0]!.finish_reason).toBe('stop');
    expect(stopped.choices[0]!.message.content).toBe(text.slice(0, text.indexOf(stop)));
    const short = await client.chat.completions.create({ ...body, max_completion_tokens: 2 });
    expect(short.choices[0]!.finish_reason).toBe('length');
    expect(short.usage!.completion_tokens).toBe(2);
    const ids = (completion: OpenAI.ChatCompletion) =>
      (completion.choices[0] as unknown as { token_ids: number[] }).token_ids;
    const asked = extended(body, { return_token_ids: true });
    const [first] = ids(await client.chat.completions.create(asked));
    const barred = await client.chat.completions.create({ ...asked, logit_bias: { [first!]: -100 } });
    expect(ids(barred)[0]).not.toBe(first);
    const forced = await client.chat.completions.create({
      ...asked,
      max_completion_tokens: 3,
      logit_bias: { 300: 100 },
    });
    expect(ids(forced)).toEqual([300, 300, 300]);
  });

  test('fields of the service are accepted, and those without effect are told', async () => {
    const body = { model: 'large', messages, max_completion_tokens: 2, user: 'u', metadata: { a: 'b' }, store: false };
    const { data, response } = await client.chat.completions
      .create({ ...body, service_tier: 'auto', parallel_tool_calls: true, prompt_cache_key: 'k' })
      .withResponse();
    expect(data.service_tier).toBe('default');
    expect(data.system_fingerprint).toMatch(/^fp_/);
    const ignored = response.headers.get('x-trimtab-ignored')!.split(',');
    expect(ignored).toEqual(expect.arrayContaining(['user', 'metadata', 'prompt_cache_key']));
    expect(data).toHaveProperty('_request_id', response.headers.get('x-request-id'));
  });
});

describe('completions', () => {
  const body = { model: 'large', prompt: 'The harbour', max_tokens: 10, seed: 3 };

  test('whole and streamed; text, ids, lists of both', async () => {
    const whole = await client.completions.create(body);
    let text = '';
    for await (const chunk of await client.completions.create({ ...body, stream: true }))
      text += chunk.choices[0]!.text;
    expect(text).toBe(whole.choices[0]!.text);
    const tokens = await tokenized(body.prompt);
    const byIds = await client.completions.create({ ...body, prompt: tokens });
    expect(byIds.choices[0]!.text).toBe(text);
    const list = await client.completions.create({ ...body, prompt: [tokens, tokens], n: 2 });
    expect(list.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(list.choices[2]!.text).toBe(list.choices[0]!.text);
  });

  test('echo and log-probabilities', async () => {
    const { choices } = await client.completions.create({ ...body, echo: true, logprobs: 2 });
    const { text, logprobs } = choices[0]!;
    expect(text.startsWith(body.prompt)).toBe(true);
    expect(logprobs!.token_logprobs![0]).toBeNull();
    expect(logprobs!.tokens).toHaveLength(logprobs!.text_offset!.length);
    for (const [index, token] of logprobs!.tokens!.entries()) {
      if (token.startsWith('<|')) continue;
      expect(text.slice(logprobs!.text_offset![index]).startsWith(token)).toBe(true);
    }
  });

  test('best_of shows the likeliest per token of what n would have shown', async () => {
    const many = { ...body, temperature: 1.2, max_tokens: 8 };
    const all = await client.completions.create({ ...many, n: 6, logprobs: 0 });
    const mean = (choice: OpenAI.CompletionChoice): number => {
      const values = choice.logprobs!.token_logprobs as number[];
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const ranked = [...all.choices].sort((a, b) => mean(b) - mean(a)).map(({ text }) => text);
    const best = await client.completions.create({ ...many, n: 2, best_of: 6 });
    expect(best.choices.map(({ text }) => text)).toEqual(ranked.slice(0, 2));
    expect(best.usage!.completion_tokens).toBe(all.usage!.completion_tokens);
  });
});

describe('responses', () => {
  test.each(models)('whole, streamed, accumulated and over the websocket are one answer: %s', async (model) => {
    const body = extended({ model, input: content, max_output_tokens: 16 }, { seed: 9 });
    const whole = await client.responses.create(body);
    expect(whole).toMatchObject({ object: 'response', model, store: false, error: null });
    expect(whole.id).toMatch(/^resp_/);
    // The same conversation, the same template, the same seed: the text of the chat.
    const chat = await client.chat.completions.create({ model, messages, max_completion_tokens: 16, seed: 9 });
    expect(whole.output_text).toBe(chat.choices[0]!.message.content);
    expect(whole.status).toBe(chat.choices[0]!.finish_reason === 'length' ? 'incomplete' : 'completed');
    expect(whole.usage!.output_tokens).toBe(chat.usage!.completion_tokens);

    const stream = client.responses.stream(body);
    let text = '';
    const numbers: number[] = [];
    for await (const event of stream) {
      numbers.push(event.sequence_number);
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    expect(numbers).toEqual(numbers.map((_, index) => index));
    const final = await stream.finalResponse();
    expect(text).toBe(whole.output_text);
    expect(final.output_text).toBe(text);
    expect(final.status).toBe(whole.status);

    const socket = new ResponsesWS(client);
    let spoken = '';
    const status = await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('response.output_text.delta', ({ delta }) => (spoken += delta));
      socket.on('response.completed', ({ response }) => resolve(response.status));
      socket.on('response.incomplete', ({ response }) => resolve(response.status));
      socket.send({ type: 'response.create', ...body });
    });
    socket.close();
    expect(spoken).toBe(text);
    expect(status).toBe(whole.status);
  });

  test('a conversation goes on with what was said', async () => {
    const first = await client.responses.create({
      model: 'chat',
      input: content,
      max_output_tokens: 8,
      temperature: 0,
    });
    const input = [{ role: 'user' as const, content }, ...first.output, { role: 'user' as const, content: 'And?' }];
    const second = await client.responses.create({
      model: 'chat',
      input: input as OpenAI.Responses.ResponseInput,
      max_output_tokens: 8,
    });
    expect(second.usage!.input_tokens).toBeGreaterThan(first.usage!.input_tokens + first.usage!.output_tokens);
  });

  test('input tokens are counted as they are read', async () => {
    const body = { model: 'chat', input: content, instructions: 'Be brief.' };
    const { input_tokens: counted } = await client.responses.inputTokens.count(body);
    const { usage } = await client.responses.create({ ...body, max_output_tokens: 1 });
    expect(counted).toBe(usage!.input_tokens);
  });

  test('what is stored elsewhere is refused by name', async () => {
    const asked = client.responses.create({ model: 'chat', input: 'x', previous_response_id: 'resp_1' });
    await expect(asked).rejects.toThrow(BadRequestError);
    await expect(asked).rejects.toMatchObject({ param: 'previous_response_id', code: 'not_supported' });
  });
});

describe('embeddings', () => {
  const input = [
    'The harbour opens at dawn.',
    'x',
    'A much longer text about the keeper of the lighthouse. '.repeat(6),
  ];

  test('base64, which the client asks for by itself, and numbers are the same vectors, of length 1', async () => {
    const encoded = await client.embeddings.create({ model: 'large', input });
    const numbers = await client.embeddings.create({ model: 'large', input, encoding_format: 'float' });
    expect(encoded.data.map(({ index }) => index)).toEqual([0, 1, 2]);
    for (const [index, { embedding }] of encoded.data.entries()) {
      const other = numbers.data[index]!.embedding;
      embedding.forEach((value, i) => expect(value).toBeCloseTo(other[i]!, 5));
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
    }
  });

  test('are the mean of the decoder’s own hidden states', async () => {
    const { data, usage } = await client.embeddings.create({ model: 'large', input: input[2]! });
    const tokens = await tokenized(input[2]!);
    expect(usage.prompt_tokens).toBe(tokens.length);
    const { artifactDirectory } = server;
    const artifact = await ensureArtifact({
      path: folders['large']!,
      weights: 'f32',
      artifactDirectory,
      onProgress: () => undefined,
    });
    const decoder = await DecoderModel.load(artifact.directory, { threads: 1 });
    const width = tokens.length;
    const empty = decoder.spec.layers.map(({ kvHeads, headDim }) => new Float32Array(kvHeads * headDim));
    const { hidden } = await decoder.forward({
      rows: 1,
      width,
      ids: Int32Array.from(tokens),
      positions: Int32Array.from(tokens, (_, index) => index),
      segments: [[{ count: width, past: 0, slots: null }]],
      pastCapacity: 1,
      pastKeys: empty,
      pastValues: empty,
      logitSlots: Int32Array.from(tokens, (_, index) => index),
      longRope: null,
      wantsHidden: true,
    });
    const states = hidden!.data as Float32Array;
    const size = hidden!.dims[1]!;
    const mean = Array.from({ length: size }, (_, i) => {
      let sum = 0;
      for (let row = 0; row < width; row++) sum += states[row * size + i]!;
      return sum / width;
    });
    await decoder.release();
    const length = Math.hypot(...mean);
    expect(data[0]!.embedding).toHaveLength(size);
    data[0]!.embedding.forEach((value, i) => expect(value).toBeCloseTo(mean[i]! / length, 4));
  });
});

describe('the way back', () => {
  const long = extended(
    { model: 'steered', messages, max_completion_tokens: 400, stream: true as const },
    { ignore_eos: true },
  );

  test('breaking out of a stream, aborting a request and closing a websocket free every row', async () => {
    for await (const chunk of await client.chat.completions.create(long)) if (chunk.choices[0]?.delta.content) break;
    await server.idle();

    const controller = new AbortController();
    const pending = client.chat.completions.create({ ...long, stream: false }, { signal: controller.signal });
    const aborted = expect(pending).rejects.toThrow(APIUserAbortError);
    while ((await server.metric('vllm:num_requests_running')) === 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await aborted;
    await server.idle();

    const socket = new ResponsesWS(client);
    const begun = new Promise((resolve) => socket.once('response.output_text.delta', resolve));
    socket.send({
      type: 'response.create',
      ...extended({ model: 'steered', input: content, max_output_tokens: 400 }, { ignore_eos: true }),
    });
    await begun;
    socket.close();
    await server.idle();
  });
});

describe('typed errors', () => {
  test.each([
    ['a value out of range', { temperature: 9 }, BadRequestError, 400, 'invalid_value', 'temperature'],
    ['an unknown model', { model: 'nope' }, NotFoundError, 404, 'model_not_found', 'model'],
    [
      'more than the context',
      { max_completion_tokens: 100_000 },
      BadRequestError,
      400,
      'context_length_exceeded',
      'messages',
    ],
    ['a body that is too large', { user: 'x'.repeat(5_000_000) }, APIError, 413, 'body_too_large', null],
  ] as const)('%s', async (_name, fields, type, status, code, param) => {
    const error: unknown = await client.chat.completions.create({ model: 'large', messages, ...fields }).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ status, code, param });
    expect((error as APIError).requestID).toBeTruthy();
  });
});
