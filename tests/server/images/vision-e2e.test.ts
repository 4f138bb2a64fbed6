// Pictures through the whole server with real weights: the stock OpenAI client asks the pocket's vision-language model. Contrasted views are
// compared with the views alone, warm caches with cold ones, and the tower's runs are counted.
import { BadRequestError, type OpenAI } from 'openai';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PICTURE_SIZE, renderPicture } from '../../../models/pocket/world/pictures/render.js';
import { pictureTasks } from '../../../models/pocket/world/pictures/tasks.js';
import type { Scene } from '../../../models/pocket/world/pictures/things.js';
import { root } from '../../support/served.js';
import { startPocket, type Pocket } from '../conformance/pocket.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

let server: Pocket;
let client: OpenAI;
const scenes = pictureTasks(4)
  .filter(({ kind }) => kind === 'caption')
  .map(({ scene }) => scene);
const [scene, another] = scenes as [Scene, Scene];

const uriOf = async (of: Scene): Promise<string> => {
  const raw = { width: PICTURE_SIZE, height: PICTURE_SIZE, channels: 3 } as const;
  return `data:image/png;base64,${(await sharp(renderPicture(of), { raw }).png().toBuffer()).toString('base64')}`;
};

beforeAll(async () => {
  server = await startPocket({
    models: {
      vl: { path: path.join(root, 'models/pocket/vl') },
      text: { path: path.join(root, 'models/pocket/small') },
    },
    deployments: {},
  });
  client = server.client;
});
afterAll(async () => server.close());

type Part = OpenAI.ChatCompletionContentPart;
const text = (words: string): Part => ({ type: 'text', text: words });
const image = (url: string): Part => ({ type: 'image_url', image_url: { url, detail: 'auto' } });

async function ask(content: Part[], more: object = {}) {
  const body = { model: 'vl', temperature: 0, max_tokens: 24, logprobs: true, top_logprobs: 3, ...more };
  const reply = await client.chat.completions.create({ ...body, messages: [{ role: 'user', content }] });
  const { message, logprobs } = reply.choices[0]!;
  return { text: message.content ?? '', tokens: logprobs!.content!, usage: reply.usage!, choices: reply.choices };
}

const view = (projection: string): object => ({ model: 'vl', projection });
const dcd = (fields: object = {}): object => ({
  decoding: { method: 'dcd', positive: view('positive'), negative: view('negative'), ...fields },
});
const question = text('What does the picture show?');

describe('one picture', () => {
  test('the stock client asks about it, whole and streamed', async () => {
    const url = await uriOf(scene);
    const whole = await ask([image(url), question]);
    expect(whole.text).toMatch(/^I see /);
    expect(whole.usage.prompt_tokens).toBeGreaterThan(64);
    const stream = client.chat.completions.stream({
      model: 'vl',
      temperature: 0,
      max_tokens: 24,
      messages: [{ role: 'user', content: [image(url), question] }],
    });
    expect(await stream.finalContent()).toBe(whole.text);
  });

  test('is looked at once by all views, choices and requests', async () => {
    const fresh = await uriOf({ ...another, look: 4711 });
    const before = await server.metric('trimtab_images_encoded_total');
    await ask([image(fresh), question], { ...dcd(), n: 3, temperature: 1, seed: 1 });
    await ask([image(fresh), text('Is there a boat?')]);
    await ask([text('And here?'), image(fresh), image(fresh)]);
    // The tower's count comes with the engine's figures, when it goes idle.
    await server.idle();
    await vi.waitFor(async () => expect(await server.metric('trimtab_images_encoded_total')).toBe(before + 1));
  });

  test('the same numbers from a warm cache as from a cold one', async () => {
    const url = await uriOf({ ...scene, look: 99 });
    const cold = await ask([image(url), question], dcd());
    const warm = await ask([image(url), question], dcd());
    expect(cold.usage.prompt_tokens_details?.cached_tokens).toBe(0);
    expect(warm.usage.prompt_tokens_details?.cached_tokens).toBeGreaterThan(64);
    expect(warm.tokens.map(({ token }) => token)).toEqual(cold.tokens.map(({ token }) => token));
    warm.tokens.forEach(({ logprob }, i) => expect(logprob).toBeCloseTo(cold.tokens[i]!.logprob, 4));
  });

  test('another picture shares nothing beyond what stands before it', async () => {
    const [one, other] = [await uriOf({ ...scene, look: 7 }), await uriOf({ ...scene, look: 8 })];
    await ask([image(one), question]);
    const { usage } = await ask([image(other), question]);
    expect(usage.prompt_tokens_details?.cached_tokens).toBe(0);
  });
});

describe('identities', () => {
  const close = (
    one: { tokens: { token: string; logprob: number }[] },
    other: { tokens: { token: string; logprob: number }[] },
  ): void => {
    expect(one.tokens.map(({ token }) => token)).toEqual(other.tokens.map(({ token }) => token));
    one.tokens.forEach(({ logprob }, i) => expect(logprob).toBeCloseTo(other.tokens[i]!.logprob, 3));
  };
  const about = async (more: object) => ask([image(await uriOf(scene)), question], more);
  const positive = { decoding: { method: 'plain', ...view('positive') } };

  test('contrast 0 is the positive view; so are equal projections', async () => {
    const alone = await about(positive);
    close(await about(dcd({ contrast: 0, plausibility: 0 })), alone);
    close(await about(dcd({ negative: view('positive'), contrast: 2, plausibility: 0 })), alone);
  });

  test('plausibility 1 is the positive view’s greedy answer, for every contrast', async () => {
    const alone = await about(positive);
    for (const contrast of [0.5, 9]) expect((await about(dcd({ contrast, plausibility: 1 }))).text).toBe(alone.text);
  });

  test('without a mask it is guidance with weight 1 + contrast', async () => {
    const negative_prompt = { images: { projection: 'negative' } };
    const guided = await about({ decoding: { method: 'guidance', model: 'vl', negative_prompt, weight: 1.5 } });
    close(await about(dcd({ positive: 'vl', contrast: 0.5, plausibility: 0 })), guided);
  });

  test('drafts change nothing', async () => {
    const plain = await about(dcd());
    const drafted = await about({
      decoding: { ...(dcd() as { decoding: object }).decoding, speculation: { draft: 'lookup', tokens: 4 } },
    });
    expect(drafted.text).toBe(plain.text);
  });

  test('no noise worth the name is the model itself; images left out are text alone', async () => {
    const plain = await about({});
    const still = await about({ decoding: { method: 'vcd', model: 'vl', contrast: 0, plausibility: 0 } });
    close(still, plain);
    const blind = await about({ decoding: { model: 'vl', prompt: { images: null } } });
    const said = await ask([question]);
    close(blind, said);
    expect(blind.usage.prompt_tokens).toBe(said.usage.prompt_tokens);
  });
});

test('the order of images and texts is the order of the prompt', async () => {
  const [one, other] = [await uriOf(scene), await uriOf(another)];
  const ids = async (content: Part[]) => {
    const reply = await client.chat.completions.create({
      model: 'vl',
      max_tokens: 1,
      temperature: 0,
      messages: [{ role: 'user', content }],
      ...{ return_token_ids: true },
    });
    return (reply as unknown as { prompt_token_ids: number[] }).prompt_token_ids;
  };
  const [before, after] = [await ids([image(one), text('Look.')]), await ids([text('Look.'), image(one)])];
  expect(before).toHaveLength(after.length);
  expect(before.indexOf(1536)).toBeLessThan(after.indexOf(1536));
  const forth = await ask([image(one), image(other), question]);
  const back = await ask([image(other), image(one), question]);
  expect(forth.tokens.map(({ logprob }) => logprob)).not.toEqual(back.tokens.map(({ logprob }) => logprob));
  const again = await ask([image(one), image(other), question]);
  expect(again.text).toBe(forth.text);
});

test('what cannot be: an image for a text model, an unknown projection, an image token in words', async () => {
  const url = await uriOf(scene);
  const refused = async (more: object, content: Part[], words: string): Promise<void> => {
    const asked = ask(content, more);
    await expect(asked).rejects.toThrow(BadRequestError);
    await expect(asked).rejects.toThrow(words);
  };
  await refused({ model: 'text' }, [image(url), question], 'reads text only');
  await refused(
    { decoding: view('negativ') },
    [image(url), question],
    'Did you mean negative? There are negative, positive',
  );
  await refused({ model: 'text', decoding: { method: 'vcd', model: 'text' } }, [question], 'reads text only');
  await refused({}, [image(url), text('<image> What is it?')], 'Leave <image> out of the text');
});
