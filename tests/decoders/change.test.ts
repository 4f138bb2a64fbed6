// What may change in the middle of an answer: the numbers of its formulas, and nothing that has rows, prompts or a state.
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { mergePatch, whatDiffers } from '../../decoders/change.js';
import type { Json } from '../../decoders/fields.js';
import { buildDecoding } from '../../decoders/spec.js';

const eft = { method: 'eft', base: 'L', tuned: 'T', reference: 'S', weight: 0.5 };
const reward = { kind: 'reward', model: 'R', head: 'good' };
const searching = { method: 'args', inner: eft, reward, candidates: 3 };

const built = (spec: object) =>
  buildDecoding(spec, {
    models: ['L', 'T', 'S', 'X'],
    allowNegativeWeights: false,
    keepsIdleViews: true,
    rewardModels: new Map([['R', { heads: ['good'], statistics: null }]]),
  });
const differs = (before: object, after: object): string | null => whatDiffers(built(before), built(after));

describe('only numbers', () => {
  it.each([
    ['a weight', eft, { ...eft, weight: 2 }],
    ['to 0, which keeps its members', eft, { ...eft, weight: 0 }],
    ['inside a search', searching, { ...searching, inner: { ...eft, weight: 3 } }],
    [
      'a contrast',
      { method: 'contrastive', expert: 'L', amateur: 'S', contrast: 0.5 },
      { method: 'contrastive', expert: 'L', amateur: 'S', contrast: 1 },
    ],
  ])('%s may change', (_what, before, after) => {
    expect(differs(before, after)).toBeNull();
    expect(differs(after, before)).toBeNull();
  });

  it.each([
    ['a member', eft, { ...eft, tuned: 'X' }, 'does not run X'],
    ['a member left out', eft, { method: 'plain', model: 'L' }, 'T would be left out'],
    ['members in other roles', eft, { ...eft, tuned: 'S', reference: 'T' }, 'only its numbers'],
    ['a search where there was none', eft, searching, 'args instead of none'],
    ['no search where there was one', searching, eft, 'none instead of args'],
    ['a value of the search', searching, { ...searching, candidates: 4 }, 'only weights inside'],
    ['drafts', eft, { ...eft, speculation: { draft: 'S', tokens: 2 } }, 'drafts'],
  ])('%s may not', (_what, before, after, says) => {
    expect(differs(before, after)).toContain(says);
  });

  it('nothing differs from itself', () => {
    for (const spec of [eft, searching, { method: 'plain', model: 'L' }]) expect(differs(spec, spec)).toBeNull();
  });
});

describe('JSON Merge Patch', () => {
  test.each<[target: Json, patch: Json, result: Json]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('the standard’s example %j with %j', (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });

  it('leaves its arguments alone, whatever the keys are called, and twice is once', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (target, patch) => {
        const [before, after] = [JSON.stringify(target), JSON.stringify(patch)];
        const once = mergePatch(target as Json, patch as Json);
        expect(mergePatch(once, patch as Json)).toEqual(once);
        expect([JSON.stringify(target), JSON.stringify(patch)]).toEqual([before, after]);
      }),
    );
    const hostile = JSON.parse('{"__proto__": {"polluted": true}}') as Json;
    expect(Object.hasOwn(mergePatch({}, hostile) as object, '__proto__')).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
