// Block lengths: what is learnt of costs and of drafts, and what is made of it. A small world in which every forward costs what it is told
// to, and drafts stand as often as they are told to, stands in for the engine.
import { describe, expect, it } from 'vitest';
import { AcceptanceMemory, ownRecord, type DraftRecord } from '../../server/engine/acceptance.js';
import { SizeCost } from '../../server/engine/block-cost.js';
import { AdaptiveBlocks, DECIDE, expectedTokens, type Candidate, type Load } from '../../server/engine/block-policy.js';

/** fixed + perToken · size, in ms. */
type Line = readonly [fixed: number, perToken: number];

interface World {
  readonly large: Line;
  readonly small: Line;
}

const msOf = ([fixed, perToken]: Line, size: number): number => fixed + perToken * size;

const recordOf = (acceptance: number): DraftRecord => {
  const record = ownRecord();
  for (let test = 0; test < 400; test++)
    record.add(Math.floor((test + 1) * acceptance) > Math.floor(test * acceptance));
  return record;
};

const candidate = (more: Partial<Candidate>): Candidate => ({
  limit: 6,
  kind: 'kind',
  record: ownRecord(),
  draftModel: 'small',
  views: new Map([
    ['large', 1],
    ['small', 1],
  ]),
  ...more,
});

const loadOf = (candidates: readonly Candidate[]): Load => ({ candidates, others: new Map(), otherTokens: 0 });
const load = (acceptance: number, candidates = 1): Load =>
  loadOf(Array.from({ length: candidates }, () => candidate({ record: recordOf(acceptance) })));

function taught({ large, small }: World): AdaptiveBlocks {
  const blocks = new AdaptiveBlocks();
  for (let size = 1; size <= 120; size++)
    for (let time = 0; time < 4; time++) {
      blocks.timed('large', size, msOf(large, size));
      blocks.timed('small', size, msOf(small, size));
    }
  return blocks;
}

/**
 * One sequence decodes: each tick tells the policy what it cost and what became of its drafts. Returns ms and tokens of every tick.
 * `unseen`: what a tick with drafts takes longer than its parts.
 */
function live(
  blocks: AdaptiveBlocks,
  { large, small }: World,
  {
    acceptance,
    ticks,
    kind = 'kind',
    unseen = 0,
  }: { acceptance: number; ticks: number; kind?: string; unseen?: number },
): { ms: number; tokens: number; length: number }[] {
  const record = ownRecord();
  let owed = 0;
  return Array.from({ length: ticks }, () => {
    const [length = 0] = blocks.lengthsFor(loadOf([candidate({ kind, record })]));
    let ms = 0;
    const work = (what: string, size: number, taken: number): void => {
      blocks.timed(what, size, taken);
      ms += taken;
    };
    for (let step = 0; step < length; step++) work('small', 1, msOf(small, 1));
    work('large', 1 + length, msOf(large, 1 + length));
    work('small', 1, msOf(small, 1));
    work(DECIDE, 1 + length, 0.1 * (1 + length));
    if (length > 0) ms += unseen;
    blocks.ticked(ms);
    let tokens = 1;
    for (let draft = 0; draft < length; draft++) {
      owed += acceptance;
      const stood = owed >= 1;
      if (stood) owed -= 1;
      record.add(stood);
      blocks.tested(kind, stood);
      if (!stood) break;
      tokens++;
    }
    return { ms, tokens, length };
  });
}

const perToken = (ticks: readonly { ms: number; tokens: number }[]): number =>
  ticks.reduce((sum, { ms }) => sum + ms, 0) / ticks.reduce((sum, { tokens }) => sum + tokens, 0);

const cheapDraft: World = { large: [12, 1], small: [3, 0.5] };

describe('AdaptiveBlocks', () => {
  it('drafts longer the better the draft and the dearer the base, and not at all where it would cost', () => {
    const dear = taught({ large: [60, 1], small: [10, 1] });
    const lengths = [0.1, 0.5, 0.8, 0.95].map((acceptance) => dear.lengthsFor(load(acceptance))[0] ?? NaN);
    expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
    expect(lengths[0]).toBe(0);
    expect(lengths[3]).toBeGreaterThan(3);
    expect(taught({ large: [10, 1], small: [10, 1] }).lengthsFor(load(0.3))).toEqual([0]);
    // Many rows, whose tokens all cost: nothing is left to save.
    const crowd = taught({ large: [10, 10], small: [5, 3] }).lengthsFor(load(0.6, 16));
    expect(Math.max(...crowd)).toBe(0);
  });

  it('is as good as the best fixed length, once it knows costs and drafts', () => {
    for (const acceptance of [0.2, 0.6, 0.85, 0.95]) {
      const blocks = new AdaptiveBlocks();
      live(blocks, cheapDraft, { acceptance, ticks: 100 });
      const own = perToken(live(blocks, cheapDraft, { acceptance, ticks: 400 }));
      const fixed = Array.from({ length: 7 }, (_, length) => {
        const ms = length * msOf(cheapDraft.small, 1) + msOf(cheapDraft.large, 1 + length) + msOf(cheapDraft.small, 1);
        return (ms + 0.1 * (1 + length)) / expectedTokens(acceptance, length);
      });
      expect(own).toBeLessThan(1.06 * Math.min(...fixed));
    }
  });

  it('gives each sequence its own length', () => {
    const blocks = taught({ large: [30, 1], small: [3, 0.2] });
    for (let test = 0; test < 200; test++) blocks.tested('b', true);
    const [poor = NaN, good = NaN, short = NaN] = blocks.lengthsFor(
      loadOf([
        candidate({ kind: 'a', record: recordOf(0.05) }),
        candidate({ kind: 'b', record: recordOf(0.95) }),
        candidate({ kind: 'b', record: recordOf(0.95), limit: 2 }),
      ]),
    );
    expect(poor).toBe(0);
    expect(good).toBeGreaterThan(3);
    expect(short).toBe(2);
  });

  it('lets go of a poor draft within a few ticks, and looks at it ever more rarely', () => {
    const blocks = new AdaptiveBlocks();
    const first = live(blocks, cheapDraft, { acceptance: 0, ticks: 30 });
    expect(first.filter(({ length }) => length > 0).length).toBeLessThanOrEqual(4);
    const later = live(blocks, cheapDraft, { acceptance: 0, ticks: 3000 });
    const tries = later.flatMap(({ length }, tick) => (length > 0 ? [tick] : []));
    expect(tries.length).toBeGreaterThan(2);
    expect(tries.length).toBeLessThan(10);
    expect(later.every(({ length }) => length <= 1)).toBe(true);
    const plain = msOf(cheapDraft.large, 1) + msOf(cheapDraft.small, 1) + 0.1;
    expect(perToken(later)).toBeLessThan(1.01 * plain);
  });

  it('begins a request where the last one of its kind ended, and an other kind anew', () => {
    const blocks = new AdaptiveBlocks();
    live(blocks, cheapDraft, { acceptance: 0.02, ticks: 60 });
    const second = live(blocks, cheapDraft, { acceptance: 0.02, ticks: 30 });
    expect(second.filter(({ length }) => length > 0).length).toBeLessThanOrEqual(1);
    const [other] = live(blocks, cheapDraft, { acceptance: 0.9, ticks: 1, kind: 'other' });
    expect(other?.length).toBeGreaterThan(0);
    const good = new AdaptiveBlocks();
    live(good, cheapDraft, { acceptance: 0.95, ticks: 100 });
    const [next] = live(good, cheapDraft, { acceptance: 0.95, ticks: 1 });
    expect(next?.length).toBeGreaterThanOrEqual(4);
  });

  it('comes back when a draft has become good', () => {
    const blocks = new AdaptiveBlocks();
    live(blocks, cheapDraft, { acceptance: 0, ticks: 100 });
    const lengths = live(blocks, cheapDraft, { acceptance: 1, ticks: 3000 }).map(({ length }) => length);
    expect(lengths.at(-1)).toBe(6);
  });

  it('leaves it where drafts promise no more than noise does', () => {
    // Computing decides: a block of two costs what two steps do, but for a little.
    const world: World = { large: [1, 10], small: [0.2, 3] };
    const blocks = taught(world);
    const [none = NaN, one = NaN] = [0, 1].map((length) => {
      const ms = 16 * length * msOf([0, 3], 1) + msOf(world.large, 16 * (1 + length)) + msOf(world.small, 16);
      return ms / (16 * expectedTokens(0.95, length));
    });
    expect(one / none).toBeGreaterThan(0.95);
    expect(Math.max(...blocks.lengthsFor(load(0.95, 16)))).toBe(0);
  });

  it('finds out that ticks with drafts take longer than their parts, and comes back when they no longer do', () => {
    const blocks = new AdaptiveBlocks();
    const share = (unseen: number): number => {
      const ticks = live(blocks, cheapDraft, { acceptance: 0.85, ticks: 400, unseen });
      return ticks.filter(({ length }) => length > 0).length / ticks.length;
    };
    expect(share(0)).toBeGreaterThan(0.95);
    expect(share(40)).toBeLessThan(0.15);
    expect(share(0)).toBeGreaterThan(0.5);
    expect(share(0)).toBeGreaterThan(0.95);
  });

  it('is not led astray by a machine that pauses', () => {
    const blocks = new AdaptiveBlocks();
    live(blocks, cheapDraft, { acceptance: 0.85, ticks: 3 });
    for (const size of [2, 4, 5]) blocks.timed('large', size, 400);
    const lengths = live(blocks, cheapDraft, { acceptance: 0.85, ticks: 100 }).map(({ length }) => length);
    expect(lengths.slice(50).filter((length) => length > 1).length).toBeGreaterThan(47);
  });
});

describe('SizeCost', () => {
  it('knows what was seen, and fills in between and beyond', () => {
    const cost = new SizeCost();
    expect(cost.at(3)).toBe(0);
    cost.observe(2, 10);
    expect([2, 4, 1].map((size) => cost.at(size))).toEqual([10, 12.5, 8.75]);
    for (let time = 0; time < 200; time++) cost.observe(6, 18);
    expect(cost.at(6)).toBeCloseTo(18, 0);
    for (let time = 0; time < 200; time++) cost.observe(2, 12);
    expect(cost.at(2)).toBeCloseTo(12, 0);
    expect(cost.at(4)).toBeCloseTo(15, 0);
    expect(cost.at(12)).toBeCloseTo(27, 0);
  });

  it('rises with the size, whatever single timings say', () => {
    const cost = new SizeCost();
    for (let time = 0; time < 8; time++)
      for (const [size, ms] of [
        [1, 9],
        [4, 30],
        [8, 20],
        [16, 21],
        [32, 60],
      ] as const)
        cost.observe(size, ms);
    const costs = Array.from({ length: 40 }, (_, i) => cost.at(i + 1));
    expect(costs).toEqual([...costs].sort((a, b) => a - b));
    // The three that contradict each other lie where their mean does.
    expect(cost.at(4)).toBeCloseTo(cost.at(16), 9);
    expect(cost.at(8)).toBeGreaterThan(20);
    expect(cost.at(8)).toBeLessThan(27);
  });

  it('takes the lower quartile of the latest timings, and forgets sizes of long ago', () => {
    const cost = new SizeCost();
    for (const ms of [10, 11, 300, 9, 10]) cost.observe(4, ms);
    expect(cost.at(4)).toBe(10);
    // Every other one meets a pause.
    for (const ms of [20, 10, 20, 10, 20]) cost.observe(4, ms);
    expect(cost.at(4)).toBe(10);
    for (let time = 0; time < 2000; time++) cost.observe(8, 28);
    expect(cost.at(4)).toBeCloseTo(28 * (10 / 14), 3);
  });
});

describe('AcceptanceMemory', () => {
  it('mixes what a kind and what a request has shown, and fades', () => {
    const memory = new AcceptanceMemory();
    expect(memory.expect('k', ownRecord())).toBeCloseTo(0.7, 12);
    for (let test = 0; test < 300; test++) memory.add('k', true);
    expect(memory.expect('k', ownRecord())).toBeGreaterThan(0.98);
    expect(memory.expect('other', ownRecord())).toBeCloseTo(0.7, 12);
    const own = ownRecord();
    for (let test = 0; test < 12; test++) own.add(false);
    expect(memory.expect('k', own)).toBeLessThan(0.5);
    for (let test = 0; test < 300; test++) memory.add('k', false);
    expect(memory.expect('k', ownRecord())).toBeLessThan(0.05);
  });

  it('keeps the kinds used last', () => {
    const memory = new AcceptanceMemory();
    for (let test = 0; test < 50; test++) memory.add('first', false);
    for (let kind = 0; kind < 255; kind++) memory.add(`k${kind}`, true);
    memory.add('first', false);
    memory.add('one more', true);
    expect(memory.expect('first', ownRecord())).toBeLessThan(0.1);
    expect(memory.expect('k0', ownRecord())).toBeCloseTo(0.7, 12);
  });
});

it('expectedTokens is what geometry says', () => {
  expect(expectedTokens(0.5, 3)).toBeCloseTo((1 - 0.5 ** 4) / 0.5, 12);
});
