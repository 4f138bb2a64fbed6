// Each view reads its own prompt: variants through the member's own template, once per (model, prompt), never empty.
import { describe, expect, test } from 'vitest';
import { buildDecoding } from '../../../decoders/spec.js';
import type { ChatMessage, TextService } from '../../../server/context.js';
import { AppError } from '../../../server/errors.js';
import { viewPrompts, type OwnPrompt } from '../../../server/routes/view-prompts.js';
import { text } from './support.js';

const messages: readonly ChatMessage[] = [
  { role: 'system', content: 'Be kind.' },
  { role: 'user', content: 'Hi' },
];
const chat: OwnPrompt = { kind: 'messages', messages, encoding: { addGenerationPrompt: true, continueFinal: false } };
const plainText: OwnPrompt = { kind: 'ids', ids: Int32Array.from(Buffer.from('Once')) };

async function prompts(decoding: unknown, own: OwnPrompt, service: TextService = text): Promise<string[]> {
  const built = buildDecoding(decoding, { models: ['large', 'small'], allowNegativeWeights: false });
  const ids = await viewPrompts(service, built, own);
  return ids.map((view) => Buffer.from(Uint8Array.from(view)).toString());
}

const view = (prompt: unknown): object => ({ model: 'large', prompt });
const problem = (act: Promise<unknown>): Promise<string> =>
  act.then(
    () => 'accepted',
    (error: unknown) => (error instanceof AppError ? `${error.data.param}: ${error.message}` : 'another error'),
  );

describe('messages', () => {
  test.each<[string, unknown, string[]]>([
    ['the request’s own', 'large', ['large<system:Be kind.|user:Hi>assistant:']],
    ['another system turn', view({ system: 'Be rude.' }), ['large<system:Be rude.|user:Hi>assistant:']],
    ['no system turn', view({ system: null }), ['large<user:Hi>assistant:']],
    ['other messages', view({ messages: [{ role: 'user', content: 'Bye' }] }), ['large<user:Bye>assistant:']],
    ['a text through no template', view({ text: 'Once' }), ['Once']],
    [
      'guidance: all of it, and its last token',
      { method: 'guidance', model: 'large' },
      ['large<system:Be kind.|user:Hi>assistant:', ':'],
    ],
    [
      'guidance of two models with a negative prompt',
      {
        method: 'guidance',
        model: { method: 'realign', aligned: 'large', reference: 'small', strength: 0.5 },
        negative_prompt: { system: null },
      },
      [
        'small<system:Be kind.|user:Hi>assistant:',
        'large<system:Be kind.|user:Hi>assistant:',
        'small<user:Hi>assistant:',
        'large<user:Hi>assistant:',
      ],
    ],
  ])('%s', async (_, decoding, expected) => {
    expect(await prompts(decoding, chat)).toEqual(expected);
  });
});

describe('a plain prompt', () => {
  test.each<[string, unknown, string[]]>([
    ['its own', 'large', ['Once']],
    ['its last token', view('last_token'), ['e']],
    ['another text', view({ text: 'Twice' }), ['Twice']],
    ['messages', view({ messages: [{ role: 'user', content: 'Bye' }] }), ['large<user:Bye>assistant:']],
  ])('%s', async (_, decoding, expected) => {
    expect(await prompts(decoding, plainText)).toEqual(expected);
  });

  test('has no system turn to change', async () => {
    const refusal = await problem(prompts(view({ system: null }), plainText));
    expect(refusal).toMatch(/^decoding: .*no system.*no turns/);
  });
});

test('a draft that is no member comes last, with the request’s own prompt', async () => {
  const plain = (draft: string): object => ({ method: 'plain', model: 'large', speculation: { draft } });
  expect(await prompts(plain('small'), plainText)).toEqual(['Once', 'Once']);
  expect(await prompts(plain('large'), plainText)).toEqual(['Once']);
  expect(await prompts(plain('lookup'), plainText)).toEqual(['Once']);
});

test('what would be empty is refused', async () => {
  const mute: TextService = { ...text, encode: async () => new Int32Array() };
  expect(await problem(prompts(view({ text: ' ' }), chat, mute))).toContain('has no tokens for large');
  const systemOnly: OwnPrompt = { ...chat, messages: messages.slice(0, 1) };
  expect(await problem(prompts(view({ system: null }), systemOnly))).toContain('leaves no message');
});

test('each template runs once per model and prompt', async () => {
  const asked: string[] = [];
  const counting: TextService = {
    ...text,
    encodeChat: (model, ...rest) => {
      asked.push(model);
      return text.encodeChat(model, ...rest);
    },
  };
  const dcd = { method: 'dcd', positive: 'large', negative: view({ system: 'Be rude.' }) };
  await prompts({ method: 'eft', base: dcd, tuned: 'large', reference: 'small' }, chat, counting);
  expect(asked.sort()).toEqual(['large', 'large', 'small']);
});
