import fc from 'fast-check';
import { Check } from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import { FORMATS } from '../../decoders/constraint/formats.js';
import { Matcher, type MatchState } from '../../decoders/constraint/matcher.js';
import { ConstraintProblem } from '../../decoders/constraint/problem.js';
import { ANY_OBJECT, schemaGrammar } from '../../decoders/constraint/schema.js';
import { Masks } from '../../server/engine/masks.js';
import { tokenTrie } from '../../server/engine/token-trie.js';
import { arbitrarySchema, drawDocument, SMALL_END, smallTable, type JsonSchema } from '../support/arbitrary-schema.js';

const trie = tokenTrie(smallTable);

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

function matcherOf(schema: unknown): Matcher | null {
  try {
    return new Matcher(schemaGrammar(schema, JSON.stringify(schema)));
  } catch (error) {
    // Random bounds may contradict each other.
    if (error instanceof ConstraintProblem) return null;
    throw error;
  }
}

/** By definition: a token is allowed where its bytes are. */
function naiveMask(matcher: Matcher, state: MatchState): number[] {
  const ids: number[] = [];
  for (let id = 0; id < smallTable.size; id++)
    if (id === SMALL_END ? state.ends : matcher.bytes(state, smallTable.bytesOf(id)) !== null) ids.push(id);
  return ids;
}

const idsOf = (allowed: Uint8Array): number[] => [...allowed.keys()].filter((id) => allowed[id] === 1);

describe('masks', () => {
  it('are those of the matcher, token by token, along random documents of random schemas', () => {
    const masks = new Masks(trie);
    fc.assert(
      fc.property(arbitrarySchema, fc.nat(), (schema, seed) => {
        const matcher = matcherOf(schema);
        if (!matcher) return;
        const random = randomOf(seed);
        let state = matcher.start;
        for (let step = 0; step < 12; step++) {
          const expected = naiveMask(matcher, state);
          const { allowed, count } = masks.mask(matcher, state, [SMALL_END]);
          expect(idsOf(allowed)).toEqual(expected);
          expect(count).toBe(expected.length);
          const id = expected[Math.floor(random() * expected.length)];
          if (id === undefined || id === SMALL_END) return;
          state = matcher.bytes(state, smallTable.bytesOf(id))!;
        }
      }),
      { numRuns: 120 },
    );
  });

  it('every document of a random schema parses, and the schema accepts it', () => {
    const masks = new Masks(trie);
    let [ended, tried] = [0, 0];
    fc.assert(
      fc.property(arbitrarySchema, fc.nat(), (schema, seed) => {
        const matcher = matcherOf(schema);
        if (!matcher) return;
        for (let document = 0; document < 5; document++) {
          tried++;
          const text = drawDocument(matcher, masks, smallTable, SMALL_END, randomOf(seed + document));
          if (text === null) continue;
          ended++;
          const value: unknown = JSON.parse(text);
          if (!Check(schema, value)) throw new Error(`${text} is not what ${JSON.stringify(schema)} says`);
        }
      }),
      { numRuns: 150 },
    );
    expect(ended / tried).toBeGreaterThan(0.8);
  });

  it.each(Object.keys(FORMATS))('every document of the format %s is of that format', (format) => {
    const masks = new Masks(trie);
    const schema: JsonSchema = { type: 'string', format };
    const matcher = new Matcher(schemaGrammar(schema, 'x'));
    for (let seed = 0; seed < 200; seed++) {
      const text = drawDocument(matcher, masks, smallTable, SMALL_END, randomOf(seed * 104_729));
      if (text !== null && !Check(schema, JSON.parse(text))) throw new Error(`${text} is no ${format}`);
    }
  });

  it('recursive schemas and any object', () => {
    const masks = new Masks(trie);
    const tree: JsonSchema = {
      $defs: {
        node: {
          type: 'object',
          properties: { value: { type: 'integer' }, next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } },
          required: ['value', 'next'],
          additionalProperties: false,
        },
      },
      $ref: '#/$defs/node',
    };
    for (const schema of [tree, ANY_OBJECT]) {
      const matcher = new Matcher(schemaGrammar(schema, 'x'));
      let ended = 0;
      for (let seed = 0; seed < 200; seed++) {
        const text = drawDocument(matcher, masks, smallTable, SMALL_END, randomOf(seed * 7919));
        if (text === null) continue;
        ended++;
        const value = JSON.parse(text) as object;
        expect(typeof value).toBe('object');
        expect(Check(schema, value)).toBe(true);
      }
      expect(ended).toBeGreaterThan(50);
    }
  });
});
