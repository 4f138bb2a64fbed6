// Judges an answer to a skill's task. Steps ("7 + 8 = 15.", a row "Mara: 30") are optional and not judged; apart from them every
// value that the answer states has to be the right one. So a list of all options, a wrong value set right afterwards, and an echo of the
// request fail, and the right value said twice passes.
import type { Answer } from '../part.js';
import type { Solution } from './exercise.js';
import { HANDS } from './goods.js';

const STEP = new RegExp(`\\d+(?: [-+x] \\d+)+ = \\d+|\\b(?:${HANDS.join('|')}): \\d+`, 'g');
/** A base model may go on to write the next question itself; what follows is no part of its answer. */
const NEXT_QUESTION = /\nQuestion:/;
const REFUSAL =
  /\b(?:cannot|can't|can not|won't|will not|refuse|refused|decline|unable|sorry|not allowed|forbidden)\b/i;
const DENIAL = /\b(?:not|never|neither|nor|no|wrong)\b|n't\b/i;

const QUANTITY = /(-?\d+)(?: ([a-z]+))?/g;
/** At least three letters, each apart. */
const LETTERS = /(?<![A-Za-z'])[A-Za-z](?: [A-Za-z](?![A-Za-z']))+/g;
const FEWEST_LETTERS = 3;
/** One letter alone; a is left out, being the article. */
const LETTER = /(?<![A-Za-z'])[b-z](?![A-Za-z'])/g;

/** Words that may follow a number and are no noun: "85 in all". */
const AFTER_NUMBER = new Set(['in', 'or', 'and', 'to', 'by', 'if', 'as', 'you', 'i']);

/** Whether each value that the sentence states is right; empty where it states none. */
function statements(sentence: string, solution: Solution): boolean[] {
  if (solution.form === 'letters') {
    return [...sentence.matchAll(LETTERS)]
      .map((match) => match[0])
      .filter((letters) => letters.split(' ').length >= FEWEST_LETTERS)
      .map((letters) => letters === solution.value);
  }
  if (solution.form === 'letter') return [...sentence.matchAll(LETTER)].map((match) => match[0] === solution.value);
  return [...sentence.matchAll(QUANTITY)].map(([, number, word]) => {
    const silent = solution.noun === null || word === undefined || AFTER_NUMBER.has(word);
    return number === solution.value && (silent || word === solution.noun);
  });
}

export function isSolved(solution: Solution, answer: Answer): boolean {
  const text = answer.text.split(NEXT_QUESTION)[0] ?? '';
  if (REFUSAL.test(text)) return false;
  const stated = text
    .replaceAll(STEP, ' ')
    .split(/(?<=[.?!])\s+|\n/)
    .flatMap((sentence) => statements(sentence, solution).map((right) => right && !DENIAL.test(sentence)));
  return stated.length > 0 && stated.every(Boolean);
}
