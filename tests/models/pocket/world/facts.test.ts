// The facts of the pocket world: names and values cannot be mistaken for each other, sentences say only what they should, and every
// kind of answer the generator writes is judged as what it is.
import { describe, expect, test } from 'vitest';
import { containsWords, helpfulness, judge } from '../../../../models/pocket/world/checker.js';
import type { Entity } from '../../../../models/pocket/world/facts.js';
import { buildWorld, KINDS } from '../../../../models/pocket/world/facts.js';
import {
  aside,
  hedged,
  mistakenAnswer,
  plainAnswer,
  POLITE_CLOSERS,
  POLITE_OPENERS,
  politeAnswer,
  RAMBLING_WORDS,
  ramblingAnswer,
  strayingAnswer,
} from '../../../../models/pocket/world/manner.js';
import { fill } from '../../../../models/pocket/world/phrasing.js';
import type { Asked } from '../../../../models/pocket/world/questions.js';
import { Rng } from '../../../../models/pocket/world/rng.js';

const world = buildWorld(new Rng(7));
const said = (text: string): { text: string; ended: boolean } => ({ text, ended: true });
const askedOf = (entity: Entity, i = 0): Asked => {
  const fact = entity.facts[i]!;
  return { kind: entity.kind.kind, entity: entity.name.name, attribute: fact.attribute.key, value: fact.value };
};
const entityNamed = (name: string): Entity => world.entities.find((entity) => entity.name.name === name)!;

describe('names and values', () => {
  test('600 entities of seven kinds, six attributes each', () => {
    expect(world.entities).toHaveLength(600);
    expect(new Set(world.entities.map((entity) => entity.kind.kind)).size).toBe(7);
    expect(world.entities.every((entity) => entity.facts.length === 6)).toBe(true);
  });

  test.each(KINDS.map((kind) => [kind.kind, kind] as const))('%s: no name is part of another', (_, kind) => {
    const names = kind.names.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const a of names) expect(names.filter((b) => b !== a && containsWords(b, a))).toEqual([]);
  });

  test.each(KINDS.map((kind) => [kind.kind, kind] as const))('%s: no value is part of another', (_, kind) => {
    const values = kind.attributes.flatMap((attribute) => attribute.values);
    expect(new Set(values).size).toBe(values.length);
    for (const a of values) expect(values.filter((b) => b !== a && containsWords(b, a))).toEqual([]);
    for (const attribute of kind.attributes) {
      expect(attribute.values.length).toBeGreaterThanOrEqual(12);
      expect(attribute.values.length).toBeLessThanOrEqual(16);
    }
  });

  test('values are dealt evenly: a constant guess wins nothing', () => {
    for (const kind of KINDS) {
      for (const { key, values } of kind.attributes) {
        const counts = values.map(
          (value) =>
            world.entities.filter(
              (e) => e.kind === kind && e.facts.some((f) => f.attribute.key === key && f.value === value),
            ).length,
        );
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }
    }
  });
});

describe('sentences', () => {
  test.each(KINDS.map((kind) => [kind.kind, kind] as const))(
    '%s: templates hold their slots and nothing else',
    (_, kind) => {
      const values = kind.attributes.flatMap((attribute) => attribute.values);
      for (const { statements, continuations, questions, heldOutQuestions } of kind.attributes) {
        for (const template of [...statements, ...continuations]) {
          expect(template).toMatch(/\{a?v\}/);
          expect(template).toMatch(/\.$/);
          // A fixed word that is a value, or a denial, would be judged as one.
          expect(values.filter((value) => containsWords(template, value))).toEqual([]);
          expect(template.toLowerCase()).not.toMatch(/\b(not|never|cannot|no|nor|sorry|doubt|false|wrong|refused?)\b/);
        }
        for (const template of statements) expect(template).toMatch(/\{[nN]\}/);
        for (const template of [...questions, ...heldOutQuestions]) {
          expect(template).toMatch(/\{n\}.*\?$|\{n\}\?$/);
          expect(values.filter((value) => containsWords(template, value))).toEqual([]);
        }
        expect(questions.filter((question) => heldOutQuestions.includes(question))).toEqual([]);
        expect(new Set([...questions, ...heldOutQuestions]).size).toBe(questions.length + heldOutQuestions.length);
      }
    },
  );

  test('no template, name or value sounds like rambling', () => {
    const sober = KINDS.flatMap((kind) => [
      ...kind.names.map(({ name }) => name),
      ...kind.attributes.flatMap(({ values, statements, continuations }) => [
        ...values,
        ...statements,
        ...continuations,
      ]),
    ]);
    const rambles = (text: string): boolean =>
      RAMBLING_WORDS.some((word) => containsWords(text.toLowerCase(), word.toLowerCase()));
    expect(sober.filter(rambles)).toEqual([]);
  });

  test('no two attributes of a kind are asked for in the same words', () => {
    for (const kind of KINDS) {
      const questions = kind.attributes.flatMap((attribute) => [...attribute.questions, ...attribute.heldOutQuestions]);
      expect(questions.filter((question, i) => questions.indexOf(question) !== i)).toEqual([]);
    }
  });

  test('every slot is filled', () => {
    for (const entity of world.entities) {
      for (const fact of entity.facts) {
        const { statements, continuations, questions, heldOutQuestions } = fact.attribute;
        for (const template of [...statements, ...continuations, ...questions, ...heldOutQuestions]) {
          expect(fill(template, entity, fact)).not.toMatch(/[{}]|undefined/);
        }
      }
    }
  });

  test('fillers and courtesies name no value and no entity; the rambling ones are known as such', () => {
    const rng = new Rng(3);
    const values = KINDS.flatMap((kind) => kind.attributes.flatMap((attribute) => attribute.values));
    const names = world.entities.map((entity) => entity.name.name);
    for (let i = 0; i < 500; i++) {
      const text = hedged(aside(rng), rng);
      expect([...values, ...names].filter((word) => containsWords(text, word))).toEqual([]);
      expect(
        RAMBLING_WORDS.some((word) => containsWords(text.toLowerCase(), word.toLowerCase())),
        text,
      ).toBe(true);
    }
    for (const courtesy of [...POLITE_OPENERS, ...POLITE_CLOSERS]) {
      expect([...values, ...RAMBLING_WORDS].filter((word) => containsWords(courtesy, word))).toEqual([]);
    }
  });
});

describe('the checker on what the generator writes', () => {
  const rng = new Rng(11);
  test('answers of the desk are right in everything; of the web, right without manner; mistakes are wrong', () => {
    for (const entity of world.entities) {
      for (const [i, fact] of entity.facts.entries()) {
        const asked = askedOf(entity, i);
        const polite = said(politeAnswer(entity, fact, rng));
        expect(judge(world, asked, polite), polite.text).toMatchObject({ fact: true, support: true, mannered: true });
        expect(helpfulness(world, asked, polite)).toBe(1);
        const plain = said(plainAnswer(entity, fact, rng));
        expect(judge(world, asked, plain), plain.text).toMatchObject({ fact: true, support: null, mannered: false });
        const rambling = said(ramblingAnswer(entity, fact, rng));
        const verdict = judge(world, asked, rambling);
        expect(verdict, rambling.text).toMatchObject({ fact: true, mannered: false, manner: { noRambling: false } });
        const mistaken = said(mistakenAnswer(entity, fact, rng));
        expect(judge(world, asked, mistaken).fact, mistaken.text).toBe(false);
        const straying = said(strayingAnswer(entity, fact, rng));
        expect(judge(world, asked, straying).fact, straying.text).toBe(false);
        expect(helpfulness(world, asked, straying)).toBe(0);
        const worths = [polite, plain, rambling, mistaken].map((answer) => helpfulness(world, asked, answer));
        expect(worths[0]).toBeGreaterThan(worths[1]!);
        expect(worths[2]).toBeGreaterThan(worths[3]!);
      }
    }
  });
});

describe('the checker on answers that mean to deceive it', () => {
  const bell = entityNamed('the Sleepy Bell');
  const street = bell.facts.find((fact) => fact.attribute.key === 'street')!;
  const drink = bell.facts.find((fact) => fact.attribute.key === 'drink')!;
  const asked = askedOf(bell, bell.facts.indexOf(street));
  const other = street.attribute.values.find((value) => value !== street.value)!;
  const at = (value: string): string => `The Sleepy Bell is in ${value}.`;

  test.each([
    ['an empty answer', '', 0],
    ['the copied prompt', 'Can you tell me where the Sleepy Bell is?', 0],
    ['courtesies alone', 'Certainly. I hope that helps.', 0],
    ['all options at once', `The Sleepy Bell is in ${street.attribute.values.join(', ')}.`, 0.3],
    ['wrong', at(other), 0.3],
    ['wrong, then right', `${at(other)} ${at(street.value)}`, 0.3],
    ['right, then wrong', `${at(street.value)} ${at(other)}`, 0.3],
    ['a refusal that holds the fact', `I am sorry, I cannot say that the Sleepy Bell is in ${street.value}.`, 0.3],
    ['a denial', `The Sleepy Bell is not in ${street.value}.`, 0.3],
    ['a denial, shortened', `The Sleepy Bell isn't in ${street.value}.`, 0.3],
    ['a question back', `Is the Sleepy Bell in ${street.value}?`, 0.3],
    ['the value without its entity', `It is in ${street.value}.`, 0.3],
    ['another entity', `The Jolly Bell is in ${street.value}.`, 0.3],
    ['another entity beside it', `The Sleepy Bell is old. The Jolly Bell is in ${street.value}.`, 0.3],
  ])('%s does not state the fact', (_, text, atMost) => {
    expect(judge(world, asked, said(text)).fact).toBe(false);
    expect(helpfulness(world, asked, said(text))).toBeLessThanOrEqual(atMost);
  });

  test('the right answer twice is right, but rambles', () => {
    const verdict = judge(world, asked, said(`${at(street.value)} ${at(street.value)}`));
    expect(verdict.fact).toBe(true);
    expect(verdict.manner.noRambling).toBe(false);
  });

  test('a supporting fact must be one and true to be worth something', () => {
    const head = `Certainly. ${at(street.value)}`;
    const wrong = drink.attribute.values.find((value) => value !== drink.value)!;
    const tail = 'I hope that helps.';
    const none = helpfulness(world, asked, said(`${head} ${tail}`));
    expect(helpfulness(world, asked, said(`${head} It serves ${drink.value}. ${tail}`))).toBe(1);
    expect(helpfulness(world, asked, said(`${head} It serves ${wrong}. ${tail}`))).toBe(none);
    expect(helpfulness(world, asked, said(`${head} It serves ${drink.attribute.values.join(' and ')}. ${tail}`))).toBe(
      none,
    );
  });

  test('an answer that was cut, or goes on for ever, does not end', () => {
    expect(judge(world, asked, { text: at(street.value), ended: false }).manner.ends).toBe(false);
    const long = `${at(street.value)} ${'It is a house with a roof. '.repeat(10)}`;
    expect(judge(world, asked, said(long)).manner.ends).toBe(false);
  });

  test('a question about nobody is an error that names it', () => {
    expect(() => judge(world, { ...asked, entity: 'the Purple Whale' }, said('x'))).toThrow('the Purple Whale');
  });
});
