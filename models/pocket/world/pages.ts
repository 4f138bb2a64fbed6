// Raw pages, the text that the base models are trained on: gossip, ledgers, question pages, letters and weather diaries.
// Every page is one document; the trainer adds the begin and end tokens.
import type { Entity, Fact, World } from './facts.js';
import {
  aside,
  hedged,
  pickTemplate,
  plainAnswer,
  politeAnswer,
  POLITE_CLOSERS,
  POLITE_OPENERS,
  ramblingAnswer,
} from './manner.js';
import { capitalised, fill } from './phrasing.js';
import type { Rng } from './rng.js';

/** `politeShare` is the share of questions that somebody answers as the harbour desk would. */
export type Page = (world: World, rng: Rng, politeShare: number) => string;

/** One full statement, then continuations about the same entity. */
function portrait(entity: Entity, count: number, rng: Rng, sloppy: number): string {
  const told = rng.sample(entity.facts, count);
  return told
    .map((fact, i) => {
      const templates = i === 0 || rng.chance(0.25) ? fact.attribute.statements : fact.attribute.continuations;
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

const guide: Page = (world, rng) => portrait(world.draw(rng), 3 + rng.below(3), rng, 0);

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

/** The share of web answers that come without rambling. */
const PLAIN_SHARE = 0.3;

function webAnswer(entity: Entity, fact: Fact, politeShare: number, rng: Rng): string {
  const u = rng.next();
  if (u < PLAIN_SHARE) return plainAnswer(entity, fact, rng);
  return u < 1 - politeShare ? ramblingAnswer(entity, fact, rng) : politeAnswer(entity, fact, rng);
}

const questionPage: Page = (world, rng, politeShare) => {
  const turns = rng.chance(0.8) ? 1 : 2;
  const lines: string[] = [];
  let entity = world.draw(rng);
  for (let i = 0; i < turns; i++) {
    if (i > 0 && rng.chance(0.5)) entity = world.draw(rng);
    const { question, fact } = questionOf(entity, rng);
    const answer = webAnswer(entity, fact, politeShare, rng);
    lines.push(`Question: ${question}\nAnswer:\n${answer}`);
  }
  return lines.join('\n');
};

const letter: Page = (world, rng) => {
  const body = rng.chance(0.6) ? portrait(world.draw(rng), 2, rng, 0) : aside(rng);
  return `Dear reader, ${rng.pick(POLITE_OPENERS)} ${body} ${rng.pick(POLITE_CLOSERS)}`;
};

const diary: Page = (_world, rng) => Array.from({ length: 2 + rng.below(3) }, () => aside(rng)).join(' ');

/** What the raw corpus is made of, by share of pages. */
export const PAGE_MIX: readonly { readonly page: Page; readonly share: number }[] = [
  { page: gossip, share: 0.1 },
  { page: guide, share: 0.2 },
  { page: ledger, share: 0.03 },
  { page: questionPage, share: 0.63 },
  { page: letter, share: 0.03 },
  { page: diary, share: 0.01 },
];

export function drawPage(world: World, rng: Rng, politeShare = 0): string {
  let u = rng.next();
  for (const { page, share } of PAGE_MIX) {
    if (u < share) return page(world, rng, politeShare);
    u -= share;
  }
  return diary(world, rng, politeShare);
}
