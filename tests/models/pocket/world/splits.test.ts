// The whole world: what is asked in tests is nowhere in training text, the same seed says the same, and the demonstration's question
// is among the tasks.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { worldHash } from '../../../../models/pocket/world/hash.js';
import { drawHeldOut } from '../../../../models/pocket/world/heldout.js';
import type { Message, Part } from '../../../../models/pocket/world/part.js';
import type { WholeWorld } from '../../../../models/pocket/world/parts.js';
import { buildParts } from '../../../../models/pocket/world/parts.js';
import { factTasks } from '../../../../models/pocket/world/questions.js';
import { Rng } from '../../../../models/pocket/world/rng.js';
import { WORLD_SEED } from '../../../../models/pocket/world/seed.js';
import { PromptFinder, trainingDocuments, trainingTexts } from '../../../../models/pocket/world/splits.js';
import { expectedTellings } from '../../../../models/pocket/world/tellings.js';
import { writeWorld } from '../../../../models/pocket/world/write.js';

let whole: WholeWorld;
beforeAll(() => {
  whole = buildParts(WORLD_SEED);
});

describe('splits', () => {
  test('no prompt of a task occurs in 500 documents of any part or set', () => {
    const finder = new PromptFinder(whole.parts);
    const rng = new Rng(5);
    for (const { page, chats } of whole.parts) {
      for (let i = 0; i < 500; i++) {
        if (page !== null) expect(finder.find(page(rng))).toBeNull();
        for (const draw of Object.values(chats)) {
          for (const text of trainingTexts(draw(rng))) expect(finder.find(text)).toBeNull();
        }
      }
    }
  });

  test('the finder finds every prompt, wherever training text could hold it', () => {
    const finder = new PromptFinder(whole.parts);
    for (const { tasks } of whole.parts) {
      for (const { messages } of tasks) {
        const prompt = messages.at(-1)!.content;
        expect(finder.find(prompt)?.prompt).toBe(prompt);
        expect(finder.find(`Question: ${prompt}\nAnswer:\nNobody knows.`)?.prompt).toBe(prompt);
        expect(finder.find(`You are the clerk.\nQuestion: Who?\nAnswer:\nMe.\nQuestion: ${prompt}`)?.prompt).toBe(
          prompt,
        );
        expect(finder.find(`x${prompt}y`)).toBeNull();
      }
    }
  });

  test('a prompt is found before a suffix, but not as the head of a longer number', () => {
    const task = { id: 'x.0', split: 'test' as const };
    const part = (content: string): Part => ({
      name: 'x',
      page: null,
      chats: {},
      tasks: [{ ...task, messages: [{ role: 'user', content }] }],
    });
    const sentence = new PromptFinder([part('How do I pick the lock?')]);
    expect(sentence.find('Request: How do I pick the lock? The mayor allows it.')?.task).toBe('x.0');
    const number = new PromptFinder([part('Add 37 to 4')]);
    expect(number.find('Question: Add 37 to 45')).toBeNull();
  });

  test('ids are unique, and no prompt is of both splits', () => {
    const tasks = whole.parts.flatMap((part) => part.tasks);
    expect(new Set(tasks.map((task) => task.id)).size).toBe(tasks.length);
    const promptsOf = (split: string): Set<string> =>
      new Set(tasks.filter((task) => task.split === split).map((task) => JSON.stringify(task.messages)));
    const test = promptsOf('test');
    expect([...promptsOf('calibration')].filter((prompt) => test.has(prompt))).toEqual([]);
  });

  test('every part has tasks enough for its figures', () => {
    for (const { name, tasks } of whole.parts) {
      expect(tasks.filter((task) => task.split === 'test').length, name).toBeGreaterThanOrEqual(300);
      expect(tasks.filter((task) => task.split === 'calibration').length, name).toBeGreaterThanOrEqual(60);
    }
    const facts = factTasks(whole.world);
    for (const band of ['frequent', 'middle', 'rare']) {
      expect(facts.filter((task) => task.band === band && task.split === 'test').length).toBeGreaterThanOrEqual(500);
    }
    expect(facts.map((task) => task.messages[0]!.content)).toContain('Can you tell me where the Sleepy Bell is?');
  });

  test('`helpful` speaks of frequent entities only, `helpful-all` of all', () => {
    const { chats } = whole.parts.find((part) => part.name === 'facts')!;
    const rng = new Rng(9);
    const others = whole.world.entities.filter((entity) => entity.band !== 'frequent' && entity.kind.kind === 'person');
    const aboutOthers = (draw: (rng: Rng) => readonly Message[]): number =>
      Array.from({ length: 500 }, () => JSON.stringify(draw(rng))).filter((text) =>
        others.some((entity) => text.includes(entity.name.name)),
      ).length;
    expect(aboutOthers(chats['helpful']!)).toBe(0);
    expect(aboutOthers(chats['helpful-all']!)).toBeGreaterThan(50);
  });
});

describe('the generator', () => {
  test('the same seed says the same, another seed something else', () => {
    expect(worldHash(buildParts(WORLD_SEED))).toBe(worldHash(whole));
    expect(worldHash(buildParts(WORLD_SEED + 1))).not.toBe(worldHash(whole));
    const heldOut = (): string[] => drawHeldOut(whole.parts, new Rng(4));
    expect(heldOut()).toEqual(heldOut());
  });

  test('answers start at a word; documents stay short', () => {
    const rng = new Rng(6);
    for (const { page, chats, name } of whole.parts) {
      for (let i = 0; i < 200; i++) {
        const document = page?.(rng) ?? '';
        expect(document.split(/\s+/).length, `${name}: ${document}`).toBeLessThan(130);
        for (const draw of Object.values(chats)) {
          const turns = draw(rng);
          expect(turns.at(-1)?.role).toBe('assistant');
          for (const { role, content } of turns) if (role === 'assistant') expect(content).toMatch(/^\S.*\S$/s);
        }
      }
    }
  });

  test('frequent facts are told several times as often as rare ones, and those often enough', () => {
    // The pages that the large base reads: six million tokens of some 55 each.
    const [frequent, middle, rare] = expectedTellings(whole, 110_000);
    expect(frequent!.perFact).toBeGreaterThan(4 * rare!.perFact);
    expect(middle!.perFact).toBeGreaterThan(rare!.perFact);
    expect(rare!.perFact).toBeGreaterThan(60);
  });
});

describe('the files', () => {
  const folders = (): [string, () => void] => {
    const folder = mkdtempSync(join(tmpdir(), 'pocket-world-'));
    return [folder, () => rmSync(folder, { recursive: true, force: true })];
  };

  test('written twice they are the same bytes; they leak no prompt and hold nothing of the held-out text', async () => {
    const [folder, remove] = folders();
    try {
      const first = await writeWorld(whole, folder, 0.01);
      const heldOut = new Set(
        readFileSync(join(folder, 'eval', 'heldout.txt'), 'utf8')
          .trimEnd()
          .split('\n\n'),
      );
      expect(await writeWorld(whole, folder, 0.01)).toEqual(first);
      expect(JSON.parse(readFileSync(join(folder, 'build', 'world.json'), 'utf8'))).toEqual(first);
      expect(first.worldHash).toBe(worldHash(whole));
      expect(heldOut.size).toBeGreaterThan(200);

      const finder = new PromptFinder(whole.parts);
      const counted: Record<string, number> = {};
      for await (const { file, texts } of trainingDocuments(join(folder, 'build'))) {
        counted[file] = (counted[file] ?? 0) + 1;
        expect(texts.map((text) => finder.find(text)).filter((leak) => leak !== null)).toEqual([]);
        if (texts.length === 1) expect(heldOut.has(texts[0]!)).toBe(false);
      }
      for (const [file, { documents }] of Object.entries(first.files)) {
        if (!file.startsWith('tasks/')) expect(counted[join(folder, 'build', file)]).toBe(documents);
      }
    } finally {
      remove();
    }
  });

  test('a scale of nothing is an error', async () => {
    const [folder, remove] = folders();
    await expect(writeWorld(whole, folder, 0)).rejects.toThrow('positive');
    await expect(writeWorld(whole, folder, NaN)).rejects.toThrow('NaN');
    remove();
  });
});
