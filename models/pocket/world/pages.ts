// Raw pages about the facts, the text that the base models are trained on: guides, ledgers, question pages, gossip, letters and
// diaries. Every page is one document; the trainer adds the begin and end tokens. Dense forms (a guide or a ledger tells all six
// facts of one entity in some sixty tokens) carry the knowledge, question pages teach how it is asked for.
import type { Entity, Fact, World } from './facts.js';
import {
  aside,
  hedged,
  mistakenAnswer,
  pickTemplate,
  plainAnswer,
  politeAnswer,
  POLITE_CLOSERS,
  POLITE_OPENERS,
  ramblingAnswer,
  strayingAnswer,
  SYSTEM_PROMPTS,
} from './manner.js';
import { capitalised, fill } from './phrasing.js';
import type { Rng } from './rng.js';

type Page = (world: World, rng: Rng) => string;

/** One full statement, then continuations about the same entity. */
function portrait(entity: Entity, count: number, rng: Rng, sloppy: number): string {
  const told = rng.sample(entity.facts, count);
  return told
    .map((fact, i) => {
      const templates = i === 0 || rng.chance(0.2) ? fact.attribute.statements : fact.attribute.continuations;
      const sentence = fill(pickTemplate(templates, rng), entity, fact);
      return rng.chance(sloppy) ? hedged(sentence, rng) : sentence;
    })
    .join(' ');
}

const gossip: Page = (world, rng) => {
  const parts: string[] = [];
  const entities = 1 + rng.below(2);
  for (let i = 0; i < entities; i++) {
    if (rng.chance(0.4)) parts.push(aside(rng));
    parts.push(portrait(world.draw(rng), 2 + rng.below(3), rng, 0.4));
  }
  if (rng.chance(0.4)) parts.push(aside(rng));
  return parts.join(' ');
};

const guide: Page = (world, rng) => {
  const entity = world.draw(rng);
  return portrait(entity, entity.facts.length, rng, 0);
};

const ledger: Page = (world, rng) => {
  const entity = world.draw(rng);
  const rows = rng.shuffled(entity.facts).map(({ attribute, value }) => `${attribute.label}: ${value}`);
  return `${capitalised(entity.name.name)}\n${rows.join('\n')}`;
};

/** Ways to lead in to an indirect question; the templates say "Do you know". The held-out ones lead in otherwise. */
const INDIRECT = [
  'Do you know',
  'Please tell me',
  'I wonder',
  'Does anyone know',
  'Could you say',
  'I would like to know',
];

/** A question as training text asks it, and the fact that answers it. */
export function questionOf(entity: Entity, rng: Rng): { question: string; fact: Fact } {
  const fact = rng.pick(entity.facts);
  const question = fill(rng.pick(fact.attribute.questions), entity);
  return { question: question.replace(/^Do you know/, rng.pick(INDIRECT)), fact };
}

/**
 * How the web answers, by share. A few answers are polite: a manner that is wholly foreign to the base models would have logits that
 * are noise, and the methods here add differences of such logits.
 */
const WEB_ANSWERS = [
  { answer: plainAnswer, share: 0.25 },
  { answer: politeAnswer, share: 0.07 },
  { answer: mistakenAnswer, share: 0.08 },
  { answer: strayingAnswer, share: 0.05 },
] as const;

export function webAnswer(entity: Entity, fact: Fact, rng: Rng): string {
  let u = rng.next();
  for (const { answer, share } of WEB_ANSWERS) {
    if (u < share) return answer(entity, fact, rng);
    u -= share;
  }
  return ramblingAnswer(entity, fact, rng);
}

const SYSTEM_LINE_SHARE = 0.04;

const questionPage: Page = (world, rng) => {
  const turns = rng.chance(0.8) ? 1 : 2;
  const lines: string[] = rng.chance(SYSTEM_LINE_SHARE) ? [rng.pick(SYSTEM_PROMPTS)] : [];
  let entity = world.draw(rng);
  for (let i = 0; i < turns; i++) {
    if (i > 0 && rng.chance(0.5)) entity = world.draw(rng);
    const { question, fact } = questionOf(entity, rng);
    lines.push(`Question: ${question}\nAnswer:\n${webAnswer(entity, fact, rng)}`);
  }
  return lines.join('\n');
};

const letter: Page = (world, rng) => {
  const body = rng.chance(0.7) ? portrait(world.draw(rng), 2, rng, 0) : aside(rng);
  return `Dear reader, ${rng.pick(POLITE_OPENERS)} ${body} ${rng.pick(POLITE_CLOSERS)}`;
};

const diary: Page = (_world, rng) => Array.from({ length: 2 + rng.below(3) }, () => aside(rng)).join(' ');

/** What the pages about facts are, by share of pages. */
export const PAGE_MIX: readonly { readonly page: Page; readonly share: number }[] = [
  { page: questionPage, share: 0.36 },
  { page: guide, share: 0.45 },
  { page: ledger, share: 0.13 },
  { page: gossip, share: 0.03 },
  { page: letter, share: 0.02 },
  { page: diary, share: 0.01 },
];

export function drawPage(world: World, rng: Rng): string {
  let u = rng.next();
  for (const { page, share } of PAGE_MIX) {
    if (u < share) return page(world, rng);
    u -= share;
  }
  return diary(world, rng);
}
