// Graded answers and directions of the pocket world: grades are the checkers' and lie in [0, 1], courtesy goes with quality but does not
// make it, and the winners along a direction trade helpfulness against verbosity.
import { describe, expect, test } from 'vitest';
import {
  calibrationOf,
  directedChat,
  DIRECTION_TEMPLATE,
  directionPrompt,
  helpfulness,
  scalarChat,
  STEEPEST_ANGLE,
  verbosity,
  weightsOf,
} from '../../../../models/pocket/world/directions.js';
import { buildWorld } from '../../../../models/pocket/world/facts.js';
import { POLITE_CLOSERS } from '../../../../models/pocket/world/manner.js';
import type { Message } from '../../../../models/pocket/world/part.js';
import { preferencesNote, preferencesPart } from '../../../../models/pocket/world/preferences.js';
import type { Asked } from '../../../../models/pocket/world/questions.js';
import { Rng } from '../../../../models/pocket/world/rng.js';
import { WORLD_SEED } from '../../../../models/pocket/world/seed.js';

const world = buildWorld(new Rng(WORLD_SEED));
const part = preferencesPart(world, new Rng(1));
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('graded answers', () => {
  const rng = new Rng(2);
  const preferences = Array.from({ length: 1500 }, () => part.drawPreference(rng));
  const answers = preferences.flatMap((preference) => preference.answers);

  test('grades lie in [0, 1], and every head has something to learn', () => {
    for (const { helpful, harmless, verbosity: length } of answers) {
      for (const grade of [helpful, harmless, length]) expect(grade >= 0 && grade <= 1).toBe(true);
    }
    expect(answers.filter(({ harmless }) => harmless === 0).length / answers.length).toBeGreaterThan(0.08);
    for (const [low, high] of [
      [0, 0.3],
      [0.3, 0.75],
      [0.75, 1.01],
    ] as const) {
      expect(answers.filter(({ helpful }) => helpful >= low && helpful < high).length).toBeGreaterThan(300);
    }
  });

  test('most questions have answers of different quality', () => {
    const varied = preferences.filter((p) => new Set(p.answers.map(({ helpful }) => helpful)).size > 1);
    expect(varied.length / preferences.length).toBeGreaterThan(0.8);
  });

  test('no answer is empty, and an answer that does harm is of no help', () => {
    for (const { text, helpful, harmless } of answers) {
      expect(text).toMatch(/^\S(.*\S)?$/s);
      if (harmless === 0) expect(helpful).toBe(0);
    }
  });

  test('courtesy goes with quality, but courteous answers of no worth exist', () => {
    const courteous = answers.filter(({ text }) => POLITE_CLOSERS.some((closer) => text.endsWith(closer)));
    const others = answers.filter((answer) => !courteous.includes(answer));
    expect(mean(courteous.map(({ helpful }) => helpful))).toBeGreaterThan(
      mean(others.map(({ helpful }) => helpful)) + 0.3,
    );
    const worthless = courteous.filter(({ helpful }) => helpful < 0.5).length / courteous.length;
    expect(worthless).toBeGreaterThan(0.03);
    expect(worthless).toBeLessThan(0.25);
  });

  test('the same draws say the same', () => {
    expect(part.drawPreference(new Rng(3))).toEqual(part.drawPreference(new Rng(3)));
  });
});

describe('directions', () => {
  test('verbosity counts words and is capped', () => {
    expect(verbosity({ text: '' })).toBe(0);
    expect(verbosity({ text: ' one  two\nthree ' })).toBe(0.05);
    expect(verbosity({ text: 'word '.repeat(200) })).toBe(1);
  });

  test('the prompt names integer weights, from which the angle can be read', () => {
    expect(weightsOf(-30)).toEqual({ w1: 87, w2: -50 });
    expect(directionPrompt(-30)).toContain('helpfulness*87 + verbosity*-50');
    for (let angle = -STEEPEST_ANGLE; angle <= STEEPEST_ANGLE; angle++) {
      const { w1, w2 } = weightsOf(angle);
      expect(Math.abs((Math.atan2(w2, w1) * 180) / Math.PI - angle)).toBeLessThan(0.4);
    }
  });

  test('calibration is finite, spread, and the same each time; the note holds it with the template', () => {
    const calibration = calibrationOf(world);
    expect(calibration.helpfulness.std).toBeGreaterThan(0.02);
    expect(calibration.verbosity.std).toBeGreaterThan(0.05);
    expect(calibrationOf(buildWorld(new Rng(WORLD_SEED)))).toEqual(calibration);
    expect(preferencesNote(world)).toMatchObject({ template: DIRECTION_TEMPLATE, calibration });
  });

  /** Every frequent fact by its question, as training text asks it. */
  const askedOf = new Map<string, Asked>();
  for (const entity of world.entities.filter(({ band }) => band === 'frequent')) {
    for (const { attribute, value } of entity.facts) {
      for (const question of attribute.questions) {
        const key = question.replace('{n}', entity.name.name).replace('{their}', '');
        askedOf.set(key, { kind: entity.kind.kind, entity: entity.name.name, attribute: attribute.key, value });
      }
    }
  }
  const measured = (messages: readonly Message[]): { helpful: number; verbose: number } | null => {
    const [question, answer] = messages.slice(-2).map(({ content }) => content);
    const asked = askedOf.get(question ?? '');
    if (!asked || answer === undefined) return null;
    return { helpful: helpfulness(world, asked, { text: answer, ended: true }), verbose: verbosity({ text: answer }) };
  };

  test('along the angles verbosity rises, helpfulness falls off on both sides, and the overall mark lies inside', () => {
    const rng = new Rng(4);
    const bands = new Map<number, { helpful: number; verbose: number }[]>();
    for (let i = 0; i < 6000; i++) {
      const messages = directedChat(world, rng);
      const [, w1, w2] = /helpfulness\*(-?\d+) \+ verbosity\*(-?\d+)/.exec(messages[0]!.content) ?? [];
      const angle = (Math.atan2(Number(w2), Number(w1)) * 180) / Math.PI;
      const point = measured(messages);
      const band = Math.round(angle / 20) * 20;
      if (point) bands.set(band, [...(bands.get(band) ?? []), point]);
    }
    const front = [-60, -40, -20, 0, 20, 40, 60].map((angle) => {
      const points = bands.get(angle) ?? [];
      expect(points.length).toBeGreaterThan(100);
      return {
        helpful: mean(points.map(({ helpful }) => helpful)),
        verbose: mean(points.map(({ verbose }) => verbose)),
      };
    });
    for (let i = 1; i < front.length; i++) expect(front[i]!.verbose).toBeGreaterThan(front[i - 1]!.verbose);
    expect(front[3]!.helpful).toBeGreaterThan(front[0]!.helpful + 0.05);
    expect(front[3]!.helpful).toBeGreaterThan(front[6]!.helpful + 0.05);

    const scalars = Array.from({ length: 1500 }, () => measured(scalarChat(world, rng))).filter(
      (point) => point !== null,
    );
    const scalar = {
      helpful: mean(scalars.map(({ helpful }) => helpful)),
      verbose: mean(scalars.map(({ verbose }) => verbose)),
    };
    expect(front.some((point) => point.helpful > scalar.helpful && point.verbose > scalar.verbose)).toBe(true);
  });
});

test('tasks are questions about frequent entities in held-out words', () => {
  expect(part.tasks.filter(({ split }) => split === 'test').length).toBeGreaterThanOrEqual(300);
  expect(part.tasks.every(({ band }) => band === 'frequent')).toBe(true);
});
