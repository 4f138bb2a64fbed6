// What a constraint costs at a vocabulary of 128 256: a schema's first use (compiled in its thread, then its first mask), and the mask of a
// token once the vocabulary is warm. The vocabulary is made up of what real ones hold: bytes, words with and without a space, numbers,
// punctuation that crosses JSON's borders, runs of space. Documents are drawn token by token, as an engine would.
import { ConstraintService } from '../../server/constraint/service.js';
import { Constraints, type Constraint } from '../../server/engine/constraint.js';
import type { TokenTable } from '../../server/engine/detokenizer.js';
import { quantile } from '../measure.js';
import { atMost, informs, type Row } from './rows.js';

const vocabSize = 128_256;
const END = 0;
/** Documents per schema in the measured pass, and tokens of each at most. */
const documents = 20;
const longest = 200;

const line = (count: number): string[] => Array.from({ length: count }, (_, at) => `field_${at}`);
const schemas: Readonly<Record<string, object>> = {
  'any object': { type: 'object' },
  'a person': {
    type: 'object',
    properties: {
      name: { type: 'string' },
      age: { type: 'integer', minimum: 0, maximum: 120 },
      tags: { type: 'array', items: { type: 'string', maxLength: 20 }, maxItems: 8 },
    },
    required: ['name', 'age', 'tags'],
  },
  '40 required properties': {
    type: 'object',
    properties: Object.fromEntries(
      line(40).map((name, at) => [name, { type: ['string', 'integer', 'boolean', 'number'][at % 4] }]),
    ),
    required: line(40),
  },
  '60 optional properties': {
    type: 'object',
    properties: Object.fromEntries(line(60).map((name, at) => [name, { type: ['string', 'integer'][at % 2] }])),
  },
  'patterns and lengths': {
    type: 'object',
    properties: {
      mail: { type: 'string', pattern: '^[a-z]{3,10}@[a-z]+\\.com$' },
      day: { type: 'string', format: 'date' },
      text: { type: 'string', minLength: 10, maxLength: 500 },
    },
    required: ['mail', 'day', 'text'],
  },
};

export async function benchConstrain(): Promise<Row[]> {
  const table = madeUpTable();
  const constraints = new Constraints();
  const began = performance.now();
  constraints.prepare(table);
  const rows = [informs('the vocabulary, once at load', performance.now() - began, 'ms')];
  const service = new ConstraintService({ timeoutMs: 10_000 });
  try {
    // The thread is up and its code is warm, as in a server that has served one.
    await service.compile(
      { kind: 'schema', schema: { type: 'object', properties: { a: { type: 'string', pattern: 'x' } } } },
      '',
    );
    const all: number[] = [];
    for (const [name, schema] of Object.entries(schemas)) {
      const start = performance.now();
      const grammar = await service.compile({ kind: 'schema', schema }, '');
      const constraint = constraints.constraint(grammar, table);
      constraint.mask(constraint.start, [END]);
      rows.push(atMost(`first use: ${name}`, performance.now() - start, 'ms', 100));
      const random = randomOf(7);
      for (let document = 0; document < documents; document++) walk(constraint, table, random);
      const times: number[] = [];
      for (let document = 0; document < documents; document++) times.push(...walk(constraint, table, random));
      all.push(...times);
      rows.push(
        informs(
          `mask p99: ${name}`,
          quantile(times, 0.99),
          'ms',
          `${times.length} tokens, p50 ${(1000 * quantile(times, 0.5)).toFixed(1)} µs`,
        ),
      );
    }
    rows.push(
      atMost(
        'mask p99 of a token, all schemas',
        quantile(all, 0.99),
        'ms',
        1,
        `${all.length} tokens after as many to warm up`,
      ),
    );
  } finally {
    await service.close();
  }
  return rows;
}

/** One document, drawn at random; the milliseconds of each mask. */
function walk(constraint: Constraint, table: TokenTable, random: () => number): number[] {
  const times: number[] = [];
  let state = constraint.start;
  for (let step = 0; step < longest; step++) {
    const start = performance.now();
    const { allowed } = constraint.mask(state, [END]);
    times.push(performance.now() - start);
    if (allowed[END] === 1 && random() < 0.5) break;
    const id = pick(allowed, table, random);
    const next = id === null ? null : constraint.after(state, id);
    if (!next) break;
    state = next;
  }
  return times;
}

/** What closes something comes more often, so that documents end. */
function pick(allowed: Uint8Array, table: TokenTable, random: () => number): number | null {
  if (random() < 0.3) {
    const closing = ['"', ']', '}'].map((text) => 1 + text.charCodeAt(0)).filter((id) => allowed[id] === 1);
    const [first] = closing;
    if (first !== undefined) return first;
  }
  const from = 1 + Math.floor(random() * (table.size - 1));
  for (let step = 0; step < table.size - 1; step++) {
    const id = 1 + ((from + step) % (table.size - 1));
    if (allowed[id] === 1) return id;
  }
  return null;
}

function madeUpTable(): TokenTable {
  const texts = new Set<string>();
  const marks = [
    '"',
    '",',
    '":',
    '": ',
    '"}',
    '"]',
    '", "',
    '":"',
    '},',
    '}]',
    '],',
    '[{',
    '{"',
    '["',
    '()',
    '();',
    '->',
    '...',
    '//',
    '=',
    '_',
    '.',
    ',',
    ':',
  ];
  for (const mark of marks)
    for (const space of ['', ' ', '\n', ' "', '\n\n']) texts.add(mark + space).add(space + mark);
  for (let number = 0; number < 1000; number++) texts.add(`${number}`).add(`${number}`.padStart(3, '0'));
  for (let run = 2; run < 80; run++)
    texts
      .add(' '.repeat(run))
      .add('\t'.repeat(run))
      .add('\n'.repeat(run))
      .add(`\n${' '.repeat(run)}`);
  const random = randomOf(1);
  const letters = 'etaoinshrdlucmfwypvbgkjqxz';
  const word = (): string =>
    Array.from({ length: 2 + Math.floor(random() * 9) }, () => letters[Math.floor(26 * random() ** 2)]).join('');
  while (texts.size < vocabSize - 257) {
    const one = word();
    const kind = random();
    texts.add(
      kind < 0.5
        ? ` ${one}`
        : kind < 0.9
          ? one
          : kind < 0.93
            ? `"${one}`
            : kind < 0.95
              ? `${one}":`
              : kind < 0.97
                ? `_${one}`
                : `é${one}`,
    );
  }
  const bytes = [
    new TextEncoder().encode('<|end|>'),
    ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    ...[...texts].slice(0, vocabSize - 257).map((text) => new TextEncoder().encode(text)),
  ];
  return {
    size: bytes.length,
    bytesOf: (id) => bytes[id] ?? new Uint8Array(0),
    isSpecial: (id) => id === END,
    dropsLeadingSpace: false,
  };
}

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}
