import { describe, expect, it } from 'vitest';
import type { RowCopy } from '../../server/engine/row-store.js';
import { PrefixStore } from '../../server/engine/prefixes.js';

const ids = (length: number, from = 0) => Int32Array.from({ length }, (_, i) => from + i);
const copy = (length: number, bytes = 1000): RowCopy => ({ length, bytes, release: () => undefined });

describe('PrefixStore', () => {
  it('finds the longest stored beginning and leaves at least one token to compute', () => {
    const store = new PrefixStore(1 << 20);
    store.store(ids(20), 0, copy(20));
    store.store(Int32Array.from([...ids(30), 7, 7]), 0, copy(32));
    expect(store.find(ids(100), 0)?.length).toBe(30);
    expect(store.find(ids(20), 0)?.length).toBe(19);
    expect(store.find(ids(100, 5), 0)).toBeNull();
    expect(store.find(ids(10), 0)).toBeNull();
  });

  it('never mixes rope regimes', () => {
    const store = new PrefixStore(1 << 20);
    store.store(ids(20), 1, copy(20));
    expect(store.find(ids(40), 0)).toBeNull();
    expect(store.find(ids(40), 1)?.length).toBe(20);
  });

  it('drops the least recently used beyond its bytes, and what a longer entry covers', () => {
    const store = new PrefixStore(2500);
    store.store(ids(20, 0), 0, copy(20));
    store.store(ids(20, 100), 0, copy(20));
    expect(store.find(ids(30, 0), 0)?.length).toBe(20); // now the other is the oldest
    store.store(ids(20, 200), 0, copy(20));
    expect(store.size).toBe(2);
    expect(store.find(ids(30, 100), 0)).toBeNull();
    store.store(ids(25, 200), 0, copy(25));
    expect(store.size).toBe(2);
    expect(store.covers(ids(22, 200), 0)).toBe(true);
    expect(store.covers(ids(26, 200), 0)).toBe(false);
  });

  it('keeps nothing when switched off', () => {
    const store = new PrefixStore(0);
    store.store(ids(20), 0, copy(20));
    expect(store.find(ids(30), 0)).toBeNull();
    expect(store.bytes).toBe(0);
  });
});
