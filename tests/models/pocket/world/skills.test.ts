// The skills of the pocket world: exercises and their working are right by an arithmetic of the test's own, splits keep apart,
// and the checkers see through answers that are made to deceive them.
import { expect, test } from 'vitest';
import { buildWorld } from '../../../../models/pocket/world/facts.js';
import { splitOf } from '../../../../models/pocket/world/part.js';
import { Rng } from '../../../../models/pocket/world/rng.js';
import { differenceWorking, sumWorking } from '../../../../models/pocket/world/skills/arithmetic.js';
import { shifted } from '../../../../models/pocket/world/skills/cipher.js';
import type { Solution } from '../../../../models/pocket/world/skills/exercise.js';
import { spoken } from '../../../../models/pocket/world/skills/exercise.js';
import { skillCheckers, skillParts, TUNED_SKILLS, UNSEEN_SKILL } from '../../../../models/pocket/world/skills/index.js';
import { UNITS } from '../../../../models/pocket/world/skills/units.js';
import { isSolved } from '../../../../models/pocket/world/skills/verdict.js';

const SKILLS = [...TUNED_SKILLS, UNSEEN_SKILL];
const parts = skillParts(buildWorld(new Rng(7)), new Rng(7));
const numbersIn = (text: string): number[] => (text.match(/\d+/g) ?? []).map(Number);
const said = (text: string): { text: string; ended: boolean } => ({ text, ended: true });

/** The answer by another way than the generator's: read out of the question alone. */
function solvedFromQuestion(skill: string, question: string): string {
  const numbers = numbersIn(question);
  switch (skill) {
    case 'arithmetic': {
      const plus = /and|Add/.test(question);
      const [a = NaN, b = NaN] = [Math.max(...numbers), Math.min(...numbers)];
      return (plus ? a + b : a - b).toString();
    }
    case 'cipher': {
      const by = /two/i.test(question) ? 2 : 1;
      const word = question.slice(question.indexOf(': ') + 2);
      return word.replace(/[a-z]/g, (c) => String.fromCharCode(97 + ((c.charCodeAt(0) - 97 + by) % 26)));
    }
    case 'units': {
      const found = UNITS.find(
        ({ large, small }) => question.includes(` ${large}`) && new RegExp(`(many|in) ${small}\\b`).test(question),
      );
      return ((numbers[0] ?? NaN) * (found?.ratio ?? NaN) + (numbers[1] ?? 0)).toString();
    }
    case 'table': {
      const name = /(\w+)\?$/.exec(question)?.[1] ?? 'nobody';
      return new RegExp(`${name}: (\\d+)`).exec(question)?.[1] ?? 'none';
    }
    default:
      return [...question.matchAll(/\b[b-z]\b/g)]
        .map((match) => match[0])
        .reduce((least, c) => (c < least ? c : least));
  }
}

test.each(SKILLS)('$name: the solution follows from the question, every step holds, and a slip is wrong', (skill) => {
  const rng = new Rng(11);
  for (let i = 0; i < 3000; i++) {
    const exercise = skill.draw(rng);
    expect(solvedFromQuestion(skill.name, exercise.question), exercise.question).toBe(exercise.solution.value);
    for (const step of exercise.working.match(/\d+(?: [-+x] \d+)+ = \d+/g) ?? []) {
      const [terms = '', result = ''] = step.split(' = ');
      const value = terms.includes('x')
        ? numbersIn(terms).reduce((product, n) => product * n, 1)
        : (terms.replaceAll(' ', '').match(/[-+]?\d+/g) ?? []).reduce((sum, n) => sum + Number(n), 0);
      expect(value, step).toBe(Number(result));
    }
    expect(isSolved(exercise.solution, said(`That is ${spoken(exercise.solution)}.`))).toBe(true);
    expect(isSolved(exercise.solution, said(`That is ${exercise.slip}.`)), exercise.slip).toBe(false);
    expect(isSolved(exercise.solution, said(exercise.question)), exercise.question).toBe(false);
  }
});

test('the working of a sum carries, that of a difference borrows', () => {
  expect(sumWorking(37, 48)).toBe('7 + 8 = 15. 3 + 4 + 1 = 8.');
  expect(sumWorking(50, 61)).toBe('0 + 1 = 1. 5 + 6 = 11.');
  expect(differenceWorking(62, 15)).toBe('12 - 5 = 7. 6 - 1 - 1 = 4.');
  expect(differenceWorking(98, 95)).toBe('8 - 5 = 3. 9 - 9 = 0.');
});

test('the cipher runs on from z to a, and back', () => {
  expect(shifted('xyz', 1)).toBe('yza');
  expect(shifted('xyz', 2)).toBe('zab');
  expect(shifted('abc', -1)).toBe('zab');
});

test.each(parts)('$name: enough tasks, each asked once, none of them in conversations or pages', (part) => {
  const of = (split: string): number => part.tasks.filter((task) => task.split === split).length;
  expect(of('test')).toBeGreaterThanOrEqual(400);
  expect(of('calibration')).toBeGreaterThanOrEqual(100);
  expect(new Set(part.tasks.map((task) => task.id)).size).toBe(part.tasks.length);

  const questions = new Set(part.tasks.map((task) => task.messages.at(-1)?.content ?? ''));
  expect(questions.size).toBe(part.tasks.length);
  const rng = new Rng(3);
  const trained: string[] = [];
  for (let i = 0; i < 4000; i++) {
    const page = part.page?.(rng) ?? '';
    // Cut where the next question begins; a table's lines stay together.
    for (const [, question = ''] of page.matchAll(/Question: ((?:.|\n)*?)\nAnswer:/g)) trained.push(question);
    for (const draw of Object.values(part.chats)) trained.push(draw(rng)[0]?.content ?? '');
  }
  expect(trained.length).toBeGreaterThan(2000);
  expect(trained.filter((question) => questions.has(question))).toEqual([]);
});

test.each(SKILLS)('$name: train, calibration and test keys all occur, in their shares', (skill) => {
  const rng = new Rng(5);
  const counts = { train: 0, calibration: 0, test: 0 };
  for (let i = 0; i < 4000; i++) counts[splitOf(`${skill.name}: ${skill.draw(rng).key}`)]++;
  expect(counts.test / 4000).toBeGreaterThan(0.14);
  expect(counts.test / 4000).toBeLessThan(0.26);
  expect(counts.calibration / 4000).toBeGreaterThan(0.06);
});

test('the same seed sets the same tasks and writes the same pages', () => {
  const again = skillParts(buildWorld(new Rng(7)), new Rng(7));
  expect(again.map((part) => part.tasks)).toEqual(parts.map((part) => part.tasks));
  expect(again.map((part) => part.page?.(new Rng(9)))).toEqual(parts.map((part) => part.page?.(new Rng(9))));
});

test('the desk is right in every conversation; the town is wrong in some pages, and rambles in some', () => {
  const rng = new Rng(13);
  for (const part of parts) {
    const check = skillCheckers[part.name];
    const task = part.tasks[0];
    if (check === undefined || task === undefined) throw new Error(`${part.name} has no checker or no task`);
    for (const draw of Object.values(part.chats)) {
      for (let i = 0; i < 500; i++) {
        const [user, assistant] = draw(rng);
        const value = solvedFromQuestion(part.name, user?.content ?? '');
        const solution: Solution = { ...task.solution, value };
        const answer = assistant?.content ?? '';
        const noun = / (\w+)\.$/.exec(answer)?.[1] ?? '';
        const full: Solution =
          solution.form === 'quantity' && solution.noun !== null ? { ...solution, noun } : solution;
        expect(check({ ...task, solution: full }, said(answer)), answer).toBe(true);
        expect(answer).toContain('The answer is');
      }
    }
    const pages = Array.from({ length: 1000 }, () => part.page?.(rng) ?? '');
    expect(pages.filter((page) => page.includes('That is')).length).toBeGreaterThan(400);
    expect(pages.every((page) => page.length < 600)).toBe(true);
  }
});

const EELS: Solution = { form: 'quantity', value: '85', noun: 'eels' };
const SUM: Solution = { form: 'quantity', value: '85', noun: null };
const FIRST: Solution = { form: 'letter', value: 'd' };
const CODE: Solution = { form: 'letters', value: 'c b l f' };

test.each([
  ['The answer is 85 eels.', true],
  ['7 + 8 = 15. 3 + 4 + 1 = 8. The answer is 85 eels.', true],
  ['7 + 8 = 14. The answer is 85 eels.', true], // steps are not judged
  ['85', true],
  ['85 in all', true],
  ['That makes 85 eels. The answer is 85 eels.', true], // the right answer twice
  ['Well, what can you do. That makes 85 eels, I reckon. And do not start me on the weather.', true],
  ['That makes 85 eels.\nQuestion: 10 nets and 57 nets: how many?\nAnswer:\nThat makes 67 nets.', true],
  ['', false],
  ['   ', false],
  ['The answer is.', false],
  ['37 eels and 48 eels: how many?', false], // the request copied
  ['37 + 48 = 85', false], // a step, and no answer
  ['84, 85 or 86 eels', false], // all options at once
  ['That makes 84 eels. No, 85 eels.', false], // wrong, then right
  ['The answer is 85 eels. The answer is 84 eels.', false], // right, then wrong
  ['The answer is not 85 eels.', false],
  ['I cannot tell you that it is 85 eels.', false], // a refusal that contains the answer
  ['I am sorry. The answer is 85 eels.', false],
  ['The answer is 85 crabs.', false],
  ['The answer is -85 eels.', false],
  ['The answer is 85.5 eels.', false],
  ['The answer is 185 eels.', false],
  ['The answer is 8 5 eels.', false],
])('a quantity: %j is %s', (text, right) => {
  expect(isSolved(EELS, said(text))).toBe(right);
});

test.each([
  ['The answer is 85.', true],
  ['The answer is 85 eels.', true],
  ['The answer is 85 crabs, of 86.', false],
  ['Mara: 12, Tom: 85. The answer is 85.', true],
  ['Mara: 12, Tom: 85. The answer is 12.', false],
  ['Mara: 12, Tom: 85.', false], // rows, and no answer
  ['Answer: 84. The answer is 85.', false], // no row
])('a number of nothing in particular: %j is %s', (text, right) => {
  expect(isSolved(SUM, said(text))).toBe(right);
});

test.each([
  ['The answer is c b l f.', true],
  ['That makes c b l f, or so I heard. I told my cousin that the fog was a disgrace.', true],
  ['c b l f', true],
  ['', false],
  ['In the code of one: b a k e', false],
  ['The answer is b a k e, so c b l f.', false],
  ['The answer is c b l f g.', false],
  ['The answer is c b l.', false],
  ['The answer is cblf.', false],
  ['c b l f or c b l g', false],
  ['The answer is not c b l f.', false],
  ['I will not write c b l f.', false],
])('letters: %j is %s', (text, right) => {
  expect(isSolved(CODE, said(text))).toBe(right);
});

test.each([
  ['That is d.', true],
  ['d', true],
  ['The answer is d. My boots are a disgrace.', true],
  ['', false],
  ['Which letter comes first: k, d or p?', false],
  ['That is k, or d.', false],
  ['That is k. That is d.', false],
  ['That is d, not k.', false],
  ['That is D.', false],
  ['That is dd.', false],
  ['I cannot say d.', false],
])('one letter: %j is %s', (text, right) => {
  expect(isSolved(FIRST, said(text))).toBe(right);
});
