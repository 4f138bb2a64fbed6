// What the playground makes of a stream: pieces of text with their traces, turns of a dial, the end.
import { describe, expect, it } from 'vitest';
import { after, begun, speedOf, type Run } from '../../clients/page/src/run.js';
import { storyOf } from '../../clients/page/src/story.js';
import { snippet, snippetKinds } from '../../clients/page/src/snippets.js';
import type { StreamEvent } from '../../clients/typescript/src/index.js';

const trace = (token: string): StreamEvent => ({
  type: 'trace',
  choice: 0,
  trace: { token, token_id: 7, members: { large: -1 }, kl: 0.5, kept: 9, drafted: false, accepted: false },
});
const text = (words: string): StreamEvent => ({ type: 'text', choice: 0, text: words, position: null });
const told = (events: readonly StreamEvent[]): Run =>
  events.reduce((run, event, index) => after(run, event, 100 + 10 * index), begun(50));

describe('a run', () => {
  it('gives each token its text', () => {
    const { pieces, untold } = told([trace('Tar'), text('Tar'), trace(' Al'), trace('ley'), text(' Alley')]);
    expect(pieces.map((piece) => [piece.text, piece.trace?.token])).toEqual([
      ['Tar', 'Tar'],
      [' Al', ' Al'],
      ['ley', 'ley'],
    ]);
    expect(untold).toEqual([]);
  });

  it('keeps a character that spans tokens in one piece', () => {
    const { pieces } = told([trace('\ufffd'), trace('\ufffd'), text('é')]);
    expect(pieces.map((piece) => piece.text)).toEqual(['é']);
  });

  it('has text without traces, and none for what a stop string took', () => {
    expect(told([text('a'), text('b')]).pieces.map((piece) => piece.text)).toEqual(['a', 'b']);
    expect(told([trace('x'), text('')]).pieces).toEqual([]);
  });

  it('marks where a dial was turned', () => {
    const updated: StreamEvent = { type: 'updated', positions: [1], formula: 'large', parameters: {} };
    expect(told([text('a'), updated, text('b')]).turns).toEqual([{ at: 1, formula: 'large' }]);
  });

  it('knows its speed, of searches only the whole', () => {
    const run = told([text('a'), text('b'), text('c')]);
    expect(speedOf({ ...run, endedMs: 1100 }, 0)).toEqual({ firstTextMs: 50, tokensPerSecond: 2, wholeMs: 1050 });
    const search = told([{ type: 'search', choice: 0, entry: { event: 'say', node: 0 } }, text('a'), text('b')]);
    expect(speedOf({ ...search, endedMs: 150 }, 0)).toEqual({ firstTextMs: 60, tokensPerSecond: null, wholeMs: 100 });
  });
});

describe('a story', () => {
  it('is the tree of RAIN with visits and mean values', () => {
    const { tree, nodes } = storyOf([
      {
        event: 'expand',
        node: 0,
        children: [
          { node: 1, tokens: [5], prior: 0.75 },
          { node: 2, tokens: [6], prior: 0.25 },
        ],
      },
      { event: 'look', path: [0, 1], ahead: [], value: -1 },
      { event: 'look', path: [0, 2], ahead: [], value: 1 },
      { event: 'look', path: [0, 2], ahead: [], value: 0 },
      { event: 'say', node: 2, by: 'threshold', looks: 3, children: [] },
    ]);
    expect(nodes).toBe(3);
    expect(tree).toMatchObject({ visits: 3, value: 0 });
    expect(tree?.children).toMatchObject([
      { id: 1, visits: 1, value: -1, isSaid: false },
      { id: 2, visits: 2, value: 0.5, isSaid: true },
    ]);
  });

  it('is rounds of candidates, the chosen one marked', () => {
    const { rounds } = storyOf([
      {
        event: 'candidates',
        at: 4,
        chosen: 0,
        candidates: [
          { tokens: [1], score: 2 },
          { tokens: [2], score: 3, ended: true },
        ],
      },
      {
        event: 'candidates',
        candidates: [
          { tokens: [1], score: 2 },
          { tokens: [2], score: 3 },
        ],
      },
    ]);
    expect(rounds.map(({ at, candidates }) => [at, candidates.map(({ isChosen }) => isChosen)])).toEqual([
      [4, [true, false]],
      [null, [false, true]],
    ]);
  });
});

it('a copied curl line survives quotes', () => {
  const request = { model: 'm', messages: [{ role: 'user' as const, content: "What's up?" }] };
  const curl = snippet('curl', request, null, 'http://h');
  const body = /-d '(.*)'$/s.exec(curl)?.[1]?.replaceAll(String.raw`'\''`, "'");
  expect(JSON.parse(body ?? '')).toEqual({ ...request, stream: true });
  for (const kind of snippetKinds)
    expect(snippet(kind, request, { method: 'plain' }, 'http://h')).not.toContain('undefined');
});
