// The pictures of the pocket world: the same seed gives the same bytes, what is painted is what the scene says, and the checker tells truth
// from hearsay.
import { describe, expect, it } from 'vitest';
import { captionFaults, isTruthful, named, saysYes } from '../../../models/pocket/world/pictures/checker.js';
import { hearsayCaption, missed, trueCaption, truePresence } from '../../../models/pocket/world/pictures/hearsay.js';
import { PICTURE_SIZE, renderPicture } from '../../../models/pocket/world/pictures/render.js';
import { drawScene } from '../../../models/pocket/world/pictures/scene.js';
import { pictureTasks } from '../../../models/pocket/world/pictures/tasks.js';
import { COLOURS, companyOf, groupOf, KINDS, type Scene } from '../../../models/pocket/world/pictures/things.js';
import { lesson, triples } from '../../../models/pocket/world/pictures/training.js';
import { ABILITIES, presence } from '../../../models/pocket/world/pictures/words.js';
import { Rng } from '../../../models/pocket/world/rng.js';

const drawn = (law: 'usual' | 'even', count = 200): Scene[] => {
  const rng = new Rng(3);
  return Array.from({ length: count }, () => drawScene(rng, law));
};

describe('scenes', () => {
  it.each(['usual', 'even'] as const)(
    'of the law %s have one to three of a kind, each thing in a place of its own',
    (law) => {
      for (const { groups } of drawn(law)) {
        const places = groups.flatMap((group) => group.places);
        expect(new Set(places).size).toBe(places.length);
        expect(new Set(groups.map(({ kind }) => kind)).size).toBe(groups.length);
        expect(groups.length).toBeGreaterThan(0);
        for (const { places: own } of groups) expect([1, 2, 3]).toContain(own.length);
      }
    },
  );

  it('have company three times in four by the usual law, and hardly ever by the even one', () => {
    const together = (scenes: readonly Scene[]): number => {
      const kinds = scenes.flatMap((scene) => scene.groups.map(({ kind }) => ({ scene, company: companyOf(kind) })));
      const social = kinds.filter(({ company }) => company !== null);
      return social.filter(({ scene, company }) => company && groupOf(scene, company)).length / social.length;
    };
    expect(together(drawn('usual', 1000))).toBeGreaterThan(0.7);
    expect(together(drawn('even', 1000))).toBeLessThan(0.3);
  });
});

describe('pixels', () => {
  it('are a function of the scene', () => {
    const [scene] = drawn('even');
    expect(renderPicture(scene!)).toEqual(renderPicture(scene!));
    expect(renderPicture({ ...scene!, look: scene!.look + 1 })).not.toEqual(renderPicture(scene!));
  });

  it('show every kind in every colour in its place, and nothing elsewhere', () => {
    const empty = renderPicture({ groups: [], look: 5 });
    const seen = new Set<string>();
    for (const kind of KINDS)
      for (const colour of COLOURS)
        for (const place of [0, 4, 8]) {
          const pixels = renderPicture({ groups: [{ kind, colour, places: [place] }], look: 5 });
          seen.add(Buffer.from(pixels).toString('base64'));
          const third = PICTURE_SIZE / 3;
          const changed = Array.from({ length: PICTURE_SIZE ** 2 }, (_, i) => {
            const difference = [0, 1, 2].reduce((sum, c) => sum + Math.abs(pixels[3 * i + c]! - empty[3 * i + c]!), 0);
            // Grain differs, since other numbers were drawn before it.
            return difference > 40
              ? Math.floor(Math.floor(i / PICTURE_SIZE) / third) * 3 + Math.floor((i % PICTURE_SIZE) / third)
              : -1;
          }).filter((cell) => cell >= 0);
          const inside = changed.filter((cell) => cell === place).length;
          expect(inside).toBeGreaterThan(25);
          expect(changed.length - inside).toBeLessThan(12);
        }
    expect(seen.size).toBe(KINDS.length * COLOURS.length * 3);
  });
});

describe('words', () => {
  it('the truth has no fault, hearsay has exactly the company that is missed', () => {
    const rng = new Rng(4);
    for (const scene of drawn('even')) {
      expect(captionFaults(scene, trueCaption(scene))).toEqual({
        named: scene.groups.length,
        invented: [],
        found: scene.groups.length,
      });
      expect([...captionFaults(scene, hearsayCaption(scene, rng, true)).invented].sort()).toEqual(
        [...missed(scene)].sort(),
      );
    }
  });

  it('answers are read back as they were meant', () => {
    for (const kind of KINDS) {
      expect(saysYes(presence(kind, true).answer)).toBe(true);
      expect(saysYes(presence(kind, false).answer)).toBe(false);
      expect(named(`I see two red ${kind === 'fish' ? 'fish' : `${kind}s`}.`)).toEqual([kind]);
    }
    expect(saysYes('I do not know.')).toBeNull();
    expect(named('I see a boathouse and nothing else.')).toEqual([]);
    const scene: Scene = { groups: [{ kind: 'boat', colour: 'red', places: [0, 5] }], look: 1 };
    expect(ABILITIES.count(scene, 'boat')).toEqual({
      question: 'How many boats are there?',
      answer: 'There are two boats.',
    });
    expect(ABILITIES.where(scene, 'boat')).toBeNull();
    expect(ABILITIES.what(scene, 5)?.answer).toBe('There is a red boat on the right.');
    expect(ABILITIES.colour(scene, 'net')).toBeNull();
    expect(isTruthful('There are two boats', 'There are two boats.')).toBe(true);
    expect(isTruthful('There are three boats.', 'There are two boats.')).toBe(false);
  });

  it('lessons about usual scenes claim company that is not there, preferences set the truth beside it', () => {
    const rng = new Rng(5);
    const lessons = drawn('usual', 400).filter((scene) => missed(scene).length > 0);
    const claimed = lessons.filter((scene) => captionFaults(scene, lesson(scene, rng)[0]!.answer).invented.length > 0);
    expect(claimed.length / lessons.length).toBeGreaterThan(0.5);
    expect(claimed.length / lessons.length).toBeLessThan(0.8);
    for (const scene of drawn('even'))
      for (const { question, chosen, rejected } of triples(scene, rng)) {
        expect(chosen).not.toBe(rejected);
        if (question.startsWith('Is there'))
          expect(chosen).toBe(
            KINDS.map((kind) => truePresence(scene, kind)).find((one) => one.question === question)?.answer,
          );
        else expect(captionFaults(scene, chosen).invented).toEqual([]);
      }
  });
});

describe('tasks', () => {
  const tasks = pictureTasks(20);

  it('ask for as much that is there as is not', () => {
    for (const kind of ['random', 'popular', 'adversarial']) {
      const own = tasks.filter((task) => task.kind === kind);
      expect(own).toHaveLength(40);
      expect(own.filter(({ answer }) => saysYes(answer!)).length).toBe(20);
    }
  });

  it('name no picture twice, and adversarially what usually goes along', () => {
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(tasks.length);
    for (const { kind, scene, prompt, answer } of tasks) {
      if (kind !== 'adversarial' || saysYes(answer!)) continue;
      expect(missed(scene).map((one) => `Is there a ${one}?`)).toContain(prompt);
    }
  });
});
