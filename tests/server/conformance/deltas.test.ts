// Streamed and whole are one text, with real weights: for random stop lists (cut from what the model would say, across tokens and characters),
// lengths, seeds and dialects, the deltas joined are the text of the whole answer, and the reasons agree.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startPocket, type Pocket } from './pocket.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let server: Pocket;
beforeAll(async () => {
  server = await startPocket();
});
afterAll(async () => server.close());

interface Said {
  readonly text: string;
  readonly reason: string | null | undefined;
}

interface Ask {
  readonly model: string;
  readonly content: string;
  readonly length: number;
  /** Passed on as it is: OpenAI's stop beside our seed. */
  readonly ours: {
    readonly seed: number;
    readonly temperature: number;
    readonly stop: string[];
    readonly logit_bias: Record<string, number>;
  };
}

type Dialect = (ask: Ask, stream: boolean) => Promise<Said>;

const dialects: Readonly<Record<string, Dialect>> = {
  async chat({ model, content, length, ours }, stream) {
    const body = { model, messages: [{ role: 'user' as const, content }], max_tokens: length, ...ours };
    const { chat } = server.client;
    if (!stream) {
      const [choice] = (await chat.completions.create(body)).choices;
      return { text: choice!.message.content!, reason: choice!.finish_reason };
    }
    let [text, reason]: [string, string | null] = ['', null];
    const streamed = { ...body, stream: true as const };
    for await (const { choices } of await chat.completions.create(streamed)) {
      text += choices[0]?.delta.content ?? '';
      reason = choices[0]?.finish_reason ?? reason;
    }
    return { text, reason };
  },
  async completions({ model, content, length, ours }, stream) {
    const body = { model, prompt: content, max_tokens: length, ...ours };
    const { completions } = server.client;
    if (!stream) {
      const [choice] = (await completions.create(body)).choices;
      return { text: choice!.text, reason: choice!.finish_reason };
    }
    let [text, reason]: [string, string | null] = ['', null];
    const streamed = { ...body, stream: true as const };
    for await (const { choices } of await completions.create(streamed)) {
      text += choices[0]?.text ?? '';
      reason = choices[0]?.finish_reason ?? reason;
    }
    return { text, reason };
  },
  async responses({ model, content, length, ours }, stream) {
    const body = { model, input: content, max_output_tokens: length, ...ours };
    if (!stream) {
      const whole = await server.client.responses.create(body);
      return { text: whole.output_text, reason: whole.status };
    }
    let [text, reason]: [string, string | undefined] = ['', undefined];
    for await (const event of await server.client.responses.create({ ...body, stream: true })) {
      if (event.type === 'response.output_text.delta') text += event.delta;
      if ('response' in event) reason = event.response.status;
    }
    return { text, reason };
  },
};

/** Ids of tokens that are bytes of characters, so that answers hold broken and whole UTF-8. */
async function byteTokens(): Promise<number[]> {
  const response = await fetch(`${server.url}/tokenize`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'large', prompt: 'ö€🦑', add_special_tokens: false }),
  });
  return ((await response.json()) as { tokens: number[] }).tokens;
}

test('joined deltas are the whole text', async () => {
  const bytes = await byteTokens();
  const ask = fc.record({
    dialect: fc.constantFrom(...Object.keys(dialects)),
    model: fc.constantFrom('large', 'chat', 'steered'),
    content: fc.constantFrom('Who keeps the lighthouse?', 'Größe in € – 🦑', 'Count: 1 2 3'),
    length: fc.integer({ min: 1, max: 24 }),
    seed: fc.nat(),
    temperature: fc.constantFrom(0, 1, 1.5),
    biased: fc.boolean(),
    stops: fc.array(fc.record({ from: fc.nat(40), length: fc.integer({ min: 1, max: 6 }) }), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(ask, async ({ dialect, stops, biased, seed, temperature, ...rest }) => {
      const said = dialects[dialect]!;
      const logit_bias: Record<string, number> = biased ? Object.fromEntries(bytes.map((id) => [id, 12])) : {};
      const free = { ...rest, ours: { seed, temperature, stop: [], logit_bias } };
      // A prompt that is cached is computed in other pieces than one that is not, and an unlikely draw may then fall to a neighbour. From here on it is.
      await said(free, false);
      const { text } = await said(free, false);
      // Code points, so that no stop string is half a character.
      const points = [...text];
      const cut = stops.map(({ from, length }) =>
        points
          .slice(from % (points.length + 1))
          .slice(0, length)
          .join(''),
      );
      const stop = [...new Set(cut.filter((piece) => piece !== ''))];
      const asked = { ...free, ours: { ...free.ours, stop } };
      const whole = await said(asked, false);
      expect(await said(asked, true)).toEqual(whole);
      expect(text.startsWith(whole.text)).toBe(true);
      for (const piece of stop) expect(whole.text).not.toContain(piece);
    }),
    { numRuns: 80 },
  );
});
