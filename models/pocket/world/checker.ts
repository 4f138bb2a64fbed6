// The program's checklist for one answer: is the fact right, and is the manner the desk's? Fact and manner are judged
// apart: a polite falsehood has manner, a rambling truth has the fact. Used by score.ts.
import type { Entity, World } from './facts.js';
import { POLITE_CLOSERS, POLITE_OPENERS, RAMBLING_WORDS } from './manner.js';
import { capitalised } from './phrasing.js';
import type { Question } from './questions.js';

export interface Answer {
  readonly text: string;
  /** Whether the model ended the turn itself, rather than being cut at the token limit. */
  readonly ended: boolean;
}

export interface Verdict {
  /** The entity and the asked value are named, and no other value of its set is. */
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
    /** None of the web's wandering. */
    readonly noRambling: boolean;
    /** At most MAX_WORDS words, and the model ended it. */
    readonly ends: boolean;
  };
  readonly mannered: boolean;
}

const MAX_WORDS = 45;

function containsWords(text: string, words: string): boolean {
  const escaped = words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(^|[^A-Za-z])${escaped}($|[^A-Za-z])`).test(text);
}

function valuesIn(text: string, values: readonly string[]): string[] {
  return values.filter((value) => containsWords(text, value));
}

export function judge(world: World, question: Question, answer: Answer): Verdict {
  const entity = world.entities.find(
    (candidate) => candidate.kind.kind === question.kind && candidate.name.name === question.entity,
  );
  if (entity === undefined) throw new RangeError(`question ${question.id} is about nobody in this world`);
  return judgeAbout(entity, question, answer);
}

function judgeAbout(entity: Entity, question: Question, answer: Answer): Verdict {
  const text = answer.text.trim();
  const sentences = text.split(/(?<=[.?!])\s+/);
  // Names may contain value words (a ship may be "the Silver Tern"), so they are taken out before values are sought.
  const bare = text.replaceAll(entity.name.name, ' ').replaceAll(capitalised(entity.name.name), ' ');
  const named = new Map(entity.facts.map((f) => [f.attribute.key, valuesIn(bare, f.attribute.values)]));
  const asked = named.get(question.attribute) ?? [];
  const others = entity.facts.filter((f) => f.attribute.key !== question.attribute);
  const supports = others.flatMap((f) => (named.get(f.attribute.key) ?? []).map((value) => value === f.value));

  const head = sentences.slice(0, 2).join(' ');
  const askedValues = entity.facts.find((f) => f.attribute.key === question.attribute)?.attribute.values ?? [];
  const lower = text.toLowerCase();
  const manner = {
    toThePoint: valuesIn(head, askedValues).length > 0,
    polite:
      POLITE_OPENERS.some((opener) => text.startsWith(opener)) ||
      POLITE_CLOSERS.some((closer) => text.endsWith(closer)),
    oneSupportingFact: supports.length === 1,
    noRambling: !RAMBLING_WORDS.some((word) => containsWords(lower, word.toLowerCase())),
    ends: answer.ended && text.split(/\s+/).length <= MAX_WORDS && text.length > 0,
  };
  return {
    fact: containsWords(lower, entity.name.name.toLowerCase()) && asked.length === 1 && asked[0] === question.value,
    support: supports.length === 1 ? (supports[0] ?? false) : null,
    manner,
    mannered: Object.values(manner).every(Boolean),
  };
}
