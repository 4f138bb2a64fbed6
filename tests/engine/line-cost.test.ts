import { describe, expect, it } from 'vitest';
import { LineCost } from '../../server/engine/line-cost.js';

describe('the cost of work by its size', () => {
  it('is nothing before anything was seen, then what was seen', () => {
    const cost = new LineCost();
    expect(cost.at(7)).toBe(0);
    cost.observe(4, 10);
    expect(cost.at(4)).toBeCloseTo(10);
    // From one size: a fixed part of six rows' worth.
    expect(cost.at(14)).toBeCloseTo(20);
  });

  it('finds a line from its points, and is no line of the past', () => {
    const cost = new LineCost();
    for (let i = 0; i < 300; i++) cost.observe(1 + (i % 16), 5 + 2 * (1 + (i % 16)));
    expect(cost.at(8)).toBeCloseTo(21, 0);
    expect(cost.at(32)).toBeCloseTo(69, -1);
    for (let i = 0; i < 300; i++) cost.observe(1 + (i % 4), 1 + (1 + (i % 4)) / 4);
    expect(cost.at(2)).toBeCloseTo(1.5, 0);
    expect(cost.at(32)).toBeLessThan(12);
  });

  it('believes no pause, and gets used to what is slow for good', () => {
    const cost = new LineCost();
    for (let i = 0; i < 50; i++) cost.observe(4, 10);
    cost.observe(4, 10_000);
    expect(cost.at(4)).toBeLessThan(11);
    for (let i = 0; i < 300; i++) cost.observe(4, 100);
    expect(cost.at(4)).toBeCloseTo(100, 0);
  });

  it('is never negative and never falls with the size', () => {
    const cost = new LineCost();
    for (let i = 0; i < 50; i++) cost.observe(1 + (i % 10), 20 - (i % 10));
    expect(cost.at(100)).toBeGreaterThanOrEqual(cost.at(1));
    const steep = new LineCost();
    for (let i = 0; i < 50; i++) steep.observe(1 + (i % 10), (i % 10) ** 2);
    for (let size = 0; size < 20; size++) expect(steep.at(size)).toBeGreaterThanOrEqual(0);
  });
});
