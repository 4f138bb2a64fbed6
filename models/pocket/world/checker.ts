// The program's checklist for one answer about a fact: is the fact right, and is the manner the desk's? Fact and manner are judged
// apart: a polite falsehood has manner, a rambling truth has the fact. Used by score.ts, the preferences and the scoreboard.
import type { Entity, World } from './facts.js';
import { POLITE_CLOSERS, POLITE_OPENERS, RAMBLING_WORDS } from './manner.js';
import type { Answer } from './part.js';
import { capitalised } from './phrasing.js';
import type { Asked } from './questions.js';

export interface Verdict {
  /** The asked value is stated of the entity: no other value of its set is named, none is denied or only asked about. */
  readonly fact: boolean;
  /** The supporting fact, where there is exactly one, is true of the entity; null where there is none or several. */
  readonly support: boolean | null;
  readonly manner: {
    /** Some value of the asked attribute is named in the first two sentences. */
    readonly toThePoint: boolean;
    /** Opens or closes with one of the desk's courtesies. */
    readonly polite: boolean;
    /** Exactly one value of another attribute is named. */
    readonly oneSupportingFact: boolean;
    /** None of the web's wandering, and no sentence twice. */
    readonly noRambling: boolean;
    /** At most MAX_WORDS words, and the model ended it. */
    readonly ends: boolean;
  };
  readonly mannered: boolean;
}

const MAX_WORDS = 45;

/** Words that turn a statement into its denial. Nothing that the town says of its facts holds one of them. */
const DENIALS = [
  'not',
  'never',
  'cannot',
  'no',
  'neither',
  'nor',
  'refuse',
  'refused',
  'sorry',
  'doubt',
  'false',
  'wrong',
];

const patterns = new Map<string, RegExp>();

/** Whether `words` occur in the text as whole words; upper and lower case differ. */
export function containsWords(text: string, words: string): boolean {
  let pattern = patterns.get(words);
  if (pattern === undefined) {
    pattern = new RegExp(`(^|[^A-Za-z])${words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}($|[^A-Za-z])`);
    patterns.set(words, pattern);
  }
  return text.includes(words) && pattern.test(text);
}

const valuesIn = (text: string, values: readonly string[]): string[] =>
  values.filter((value) => containsWords(text, value));

const sentencesOf = (text: string): string[] => text.split(/(?<=[.?!])\s+|\n+/).filter((sentence) => sentence !== '');

/** A denial, a question or an apology states nothing, whatever it names. */
function states(sentence: string): boolean {
  const lower = sentence.toLowerCase();
  return !sentence.endsWith('?') && !lower.includes("n't") && !DENIALS.some((word) => containsWords(lower, word));
}

/** Names may contain value words (a ship may be "the Silver Tern"), so they are taken out before values are sought. */
const withoutName = (text: string, name: string): string =>
  text.replaceAll(name, ' ').replaceAll(capitalised(name), ' ');

const indexes = new WeakMap<World, Map<string, Entity>>();

function entityOf(world: World, asked: Asked): Entity {
  let index = indexes.get(world);
  if (index === undefined) {
    index = new Map(world.entities.map((entity) => [`${entity.kind.kind} ${entity.name.name}`, entity]));
    indexes.set(world, index);
  }
  const entity = index.get(`${asked.kind} ${asked.entity}`);
  if (entity === undefined)
    throw new RangeError(`the question is about ${asked.entity}, which is no ${asked.kind} of this world`);
  return entity;
}

function statesFact(entity: Entity, asked: Asked, values: readonly string[], text: string): boolean {
  const mentioned = valuesIn(withoutName(text, entity.name.name), values);
  if (mentioned.length !== 1 || mentioned[0] !== asked.value) return false;
  const lower = text.toLowerCase();
  if (!containsWords(lower, entity.name.name.toLowerCase())) return false;
  // With capitals, since an animal may be called Ginger and another be ginger.
  const others = entity.kind.names.filter(({ name }) => name !== entity.name.name);
  if (others.some(({ name }) => containsWords(text, name) || containsWords(text, capitalised(name)))) return false;
  return sentencesOf(text)
    .filter((sentence) => containsWords(withoutName(sentence, entity.name.name), asked.value))
    .every(states);
}

/** The checklist. The text is judged as it is: whoever cut it at a token limit says so in `ended`. */
export function judge(world: World, asked: Asked, answer: Answer): Verdict {
  const entity = entityOf(world, asked);
  const text = answer.text.trim();
  const sentences = sentencesOf(text);
  const bare = withoutName(text, entity.name.name);
  const others = entity.facts.filter((f) => f.attribute.key !== asked.attribute);
  const supports = others.flatMap((f) => valuesIn(bare, f.attribute.values).map((value) => value === f.value));
  const values = entity.facts.find((f) => f.attribute.key === asked.attribute)?.attribute.values ?? [];
  const head = withoutName(sentences.slice(0, 2).join(' '), entity.name.name);
  const lower = text.toLowerCase();
  const manner = {
    toThePoint: valuesIn(head, values).length > 0,
    polite:
      POLITE_OPENERS.some((opener) => text.startsWith(opener)) ||
      POLITE_CLOSERS.some((closer) => text.endsWith(closer)),
    oneSupportingFact: supports.length === 1,
    noRambling:
      !RAMBLING_WORDS.some((word) => containsWords(lower, word.toLowerCase())) &&
      new Set(sentences).size === sentences.length,
    ends: answer.ended && text.split(/\s+/).length <= MAX_WORDS && text.length > 0,
  };
  return {
    fact: statesFact(entity, asked, values, text),
    support: supports.length === 1 ? (supports[0] ?? false) : null,
    manner,
    mannered: Object.values(manner).every(Boolean),
  };
}

/** What each item of the checklist is worth; the sum is one. Half is the truth, half the manner. */
export const HELPFULNESS_WEIGHTS = {
  fact: 0.5,
  toThePoint: 0.1,
  polite: 0.1,
  trueSupport: 0.1,
  noRambling: 0.1,
  ends: 0.1,
} as const;

/**
 * Helpfulness of an answer in [0, 1]. An answer that names no value of the asked set answers nothing, and is worth nothing however
 * polite; a wrong one keeps its manner's share.
 */
export function helpfulness(world: World, asked: Asked, answer: Answer): number {
  const { fact, support, manner } = judge(world, asked, answer);
  if (!fact && !manner.toThePoint) return 0;
  const w = HELPFULNESS_WEIGHTS;
  const tenths =
    Number(fact) * w.fact +
    Number(manner.toThePoint) * w.toThePoint +
    Number(manner.polite) * w.polite +
    Number(support === true) * w.trueSupport +
    Number(manner.noRambling) * w.noRambling +
    Number(manner.ends) * w.ends;
  return Math.round(tenths * 10) / 10;
}
