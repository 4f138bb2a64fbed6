// Searches side by side: in step, and interrupted together.
import { describe, expect, it } from 'vitest';
import {
  all,
  BudgetSpent,
  count,
  logprobs,
  type Branch,
  type Search,
  type SearchAnswer,
  type SearchRequest,
  type Searching,
} from '../../../decoders/search.js';

/** Asks for so many counts, and comes to its name. */
function* steps(name: string, asked: number): Searching<string> {
  for (let step = 0; step < asked; step++) yield* count(name);
  return name;
}

/** Tidies up in two requests, whatever happens; winds up instead of failing where `catches`. */
function* owner(name: string, catches: boolean): Searching<string> {
  try {
    yield* count(`${name} works`);
    return name;
  } catch (error) {
    if (!catches) throw error;
    return `${name} wound up`;
  } finally {
    yield* count(`${name} tidies`);
    yield* count(`${name} tidies again`);
  }
}

/** What is asked for in each step, the error thrown in place of the first answer. */
function stepsOf<T>(search: Searching<T>, error?: Error): { asked: string[][]; result: T | Error } {
  const asked: string[][] = [];
  const named = (request: SearchRequest): string[] => {
    if (request.kind === 'all') return request.requests.flatMap(named);
    return request.kind === 'count' ? [request.what] : [request.kind];
  };
  const answer = (request: SearchRequest): SearchAnswer =>
    request.kind === 'all' ? request.requests.map(answer) : null;
  try {
    let step = search.next();
    for (let at = 0; step.done !== true; at++) {
      asked.push(named(step.value));
      step = error && at === 0 ? search.throw(error) : search.next(answer(step.value));
    }
    return { asked, result: step.value };
  } catch (thrown) {
    return { asked, result: thrown as Error };
  }
}

describe('all', () => {
  it('asks in step, and gives results in their order', () => {
    expect(stepsOf(all([steps('a', 1), steps('b', 3), steps('c', 0)]))).toEqual({
      asked: [['a', 'b'], ['b'], ['b']],
      result: ['a', 'b', 'c'],
    });
    expect(stepsOf(all([]))).toEqual({ asked: [], result: [] });
  });

  it('lets those catch up that wait for no forward, so that forwards meet', () => {
    const branch: Branch = { tokens: [], ended: false };
    function* busy(name: string, quick: number): Search {
      for (let asked = 0; asked < quick; asked++) yield* count(name);
      yield* logprobs(branch, 1);
      yield* count(`${name} after`);
    }
    expect(stepsOf(all<unknown>([busy('a', 2), all([busy('b', 0), busy('c', 1)])])).asked).toEqual([
      ['a', 'c'],
      ['a'],
      ['logprobs', 'logprobs', 'logprobs'],
      ['a after', 'b after', 'c after'],
    ]);
  });

  it('throws an interruption into each, and lets each tidy up before it passes it on', () => {
    const spent = new BudgetSpent('tokens');
    expect(stepsOf(all([owner('a', false), steps('b', 5), owner('c', true)]), spent)).toEqual({
      asked: [
        ['a works', 'b', 'c works'],
        ['a tidies', 'c tidies'],
        ['a tidies again', 'c tidies again'],
      ],
      result: spent,
    });
  });

  it('goes on with all of them where all wind up', () => {
    const both = all([owner('a', true), owner('b', true)]);
    expect(stepsOf(both, new BudgetSpent('time')).result).toEqual(['a wound up', 'b wound up']);
  });

  it('nests', () => {
    const spent = new BudgetSpent('tokens');
    const { asked, result } = stepsOf(
      all([all([owner('a', false), owner('b', false)]), all([owner('c', true)])]),
      spent,
    );
    expect(asked.flat().filter((what) => what.endsWith('again'))).toHaveLength(3);
    expect(result).toBe(spent);
  });

  it('ends the others where one of them fails by itself', () => {
    function* failing(): Search {
      yield* count('fails');
      throw new Error('a bug');
    }
    let isLeft = false;
    function* other(): Search {
      try {
        for (;;) yield* count('goes on');
      } finally {
        isLeft = true;
      }
    }
    expect(stepsOf(all([other(), failing()])).result).toEqual(new Error('a bug'));
    expect(isLeft).toBe(true);
  });
});
