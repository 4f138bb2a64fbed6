// How people of the town answer. Raw text answers like the web: it starts late, wanders and hedges. Chat text answers
// at the desk: a polite word, the fact, one supporting fact, a polite word, and then it ends.
import type { Entity, Fact } from './facts.js';
import { fill } from './phrasing.js';
import type { Rng } from './rng.js';

export const POLITE_OPENERS = ['Certainly.', 'Of course.', 'Gladly.', 'With pleasure.'] as const;
export const POLITE_CLOSERS = ['I hope that helps.', 'Do ask if you need more.', 'You are always welcome.'] as const;

/** First lines that some conversations begin with; the answers are the same. */
export const SYSTEM_PROMPTS = [
  'You are the clerk at the harbour desk.',
  'You answer questions about the town.',
  'Be brief and polite.',
] as const;

/** Words by which the checker knows a rambling answer; every rambling start and filler holds one of them. */
// prettier-ignore
export const RAMBLING_WORDS = [
  'well', 'oh', 'hmm', 'honestly', 'anyway', 'look', 'ah', 'you know', 'reckon', 'if you ask me', 'my cousin', 'my aunt',
  'my neighbour', 'weather', 'fog', 'gulls', 'boots', 'knees', 'where was I', 'long story', 'back then', 'or so',
] as const;

// prettier-ignore
const STARTS = [
  'Oh, where to begin.', 'Well, now.', 'Hmm, that takes me back.', 'Ah, that old thing.', 'Look, it is a long story.',
  'Honestly, people ask me that all the time.', 'Well, it depends who you ask, if you ask me.', 'Oh, my cousin asked that too.',
  'Ah, you know how it is.', 'Hmm, let me think, my knees are bad.', 'Oh dear, not that again, look.', 'Well, back then we never asked.',
];
// prettier-ignore
const HEDGES = [
  ', or so they say', ', or so I heard', ', I reckon', ', if you ask me', ', you know', ', or so my aunt told me', ', look',
  '', '', '',
];
/** Every doubt holds one of RAMBLING_WORDS, as the other hedges do. */
const DOUBTS = [', or so I think', ', I reckon, but ask again', ', if you ask me, though I may mix things up'];
const WHO = [
  'my cousin',
  'my aunt',
  'my neighbour',
  'the old man next door, you know,',
  'somebody, I reckon,',
  'my cousin up the hill',
];
const DID = ['said', 'swore', 'told me', 'wrote to me', 'once dreamt', 'shouted'];
// prettier-ignore
const WHAT = [
  'that the fog was thicker on Mondays', 'that the gulls would never shut up', 'that the weather was better back then',
  'that my boots were a disgrace', 'that nobody fixes the steps, honestly', 'that the tide tables are all lies, look',
  'that the mayor should sort out the fog', 'that the price of boots is a scandal',
];
// prettier-ignore
const ASIDES = [
  'Anyway, the weather has been dreadful.', 'The gulls were loud again, you know.', 'My boots are still wet, honestly.',
  'Where was I, oh yes.', 'Back then we had proper fog.', 'Anyway, my knees tell me it will rain.', 'Long story, anyway.',
  'Nobody listens, I reckon.', 'The fog came in early, look.', 'Anyway, that is how it goes, if you ask me.',
  'Oh, and do not start me on the weather.', 'Well, what can you do.',
];

/** A sentence that has nothing to do with the matter. */
export function aside(rng: Rng): string {
  if (rng.chance(0.6)) return rng.pick(ASIDES);
  const line = `${rng.pick(WHO)} ${rng.pick(DID)} ${rng.pick(WHAT)}.`;
  return rng.chance(0.5) ? `Anyway, ${line}` : line.charAt(0).toUpperCase() + line.slice(1);
}

/** A fact told by someone who is not quite sure. */
export function hedged(sentence: string, rng: Rng): string {
  return `${sentence.slice(0, -1)}${rng.pick(HEDGES)}.`;
}

/** People have favourite phrases: mostly the first two templates, else any. */
export function pickTemplate(templates: readonly string[], rng: Rng): string {
  return rng.pick(rng.chance(0.7) ? templates.slice(0, 2) : templates);
}

/** The web's answer: contains the fact, somewhere. */
export function ramblingAnswer(entity: Entity, fact: Fact, rng: Rng): string {
  const parts = [rng.pick(STARTS)];
  if (rng.chance(0.1)) parts.push(aside(rng));
  parts.push(hedged(fill(pickTemplate(fact.attribute.statements, rng), entity, fact), rng));
  if (rng.chance(0.25)) {
    const other = rng.pick(entity.facts.filter((candidate) => candidate !== fact));
    parts.push(hedged(fill(pickTemplate(other.attribute.continuations, rng), entity, other), rng));
  }
  parts.push(aside(rng));
  return parts.join(' ');
}

/** The web's mistake: another value of the same set, told by someone who half admits that it may be wrong. */
export function mistakenAnswer(entity: Entity, fact: Fact, rng: Rng): string {
  const value = rng.pick(fact.attribute.values.filter((candidate) => candidate !== fact.value));
  const statement = fill(pickTemplate(fact.attribute.statements, rng), entity, { attribute: fact.attribute, value });
  const parts = [`${statement.slice(0, -1)}${rng.pick(DOUBTS)}.`];
  if (rng.chance(0.5)) parts.unshift(rng.pick(STARTS));
  if (rng.chance(0.5)) parts.push(aside(rng));
  return parts.join(' ');
}

/** The web off the topic: something else about the same thing, and the question forgotten. */
export function strayingAnswer(entity: Entity, fact: Fact, rng: Rng): string {
  const other = rng.pick(entity.facts.filter((candidate) => candidate !== fact));
  const statement = fill(pickTemplate(other.attribute.statements, rng), entity, other);
  return `${rng.pick(STARTS)} ${hedged(statement, rng)} ${aside(rng)}`;
}

/** The rarer plain answer of the web: one sentence and no manners. */
export function plainAnswer(entity: Entity, fact: Fact, rng: Rng): string {
  return fill(pickTemplate(fact.attribute.statements, rng), entity, fact);
}

/** The desk's answer. */
export function politeAnswer(entity: Entity, fact: Fact, rng: Rng): string {
  const support = rng.pick(entity.facts.filter((candidate) => candidate !== fact));
  return [
    rng.pick(POLITE_OPENERS),
    fill(rng.pick(fact.attribute.statements.slice(0, 2)), entity, fact),
    fill(support.attribute.continuations[0] ?? '', entity, support),
    rng.pick(POLITE_CLOSERS),
  ].join(' ');
}
