import { describe, expect, it } from 'vitest';
import { Pace } from '../../server/engine/pace.js';

const rows = (counts: Record<string, number>) => new Map(Object.entries(counts));

describe('pace', () => {
  it('knows nothing at first: everything takes no time, and one step a token', () => {
    const pace = new Pace();
    expect(pace.stepMs(rows({ large: 8 }))).toBe(0);
    expect(pace.tickMs(rows({ large: 8 }))).toBe(0);
    expect(pace.promptMs('large', 1000)).toBe(0);
    expect(pace.stepsOf('plain', 40)).toBe(40);
    expect(pace.firstStepsOf('rain')).toBe(1);
  });

  it('a step is the forwards of all its models, and the decisions', () => {
    const pace = new Pace();
    for (let i = 0; i < 20; i++) {
      pace.forward('large', 4, 4, 10);
      pace.forward('small', 4, 4, 3);
      pace.decided(4, 1);
    }
    expect(pace.stepMs(rows({ large: 4, small: 4 }))).toBeCloseTo(14);
    expect(pace.stepMs(rows({ large: 4, small: 0 }))).toBeCloseTo(11);
    expect(pace.stepMs(rows({}))).toBe(0);
  });

  it('prompts are learnt apart from steps, by the token', () => {
    const pace = new Pace();
    pace.forward('large', 2, 100, 20);
    expect(pace.promptMs('large', 30)).toBeCloseTo(6);
    expect(pace.stepMs(rows({ large: 1 }))).toBe(0);
  });

  it('a tick is the step and what prompts usually add to it, never less than the step', () => {
    const pace = new Pace();
    pace.forward('large', 1, 1, 10);
    pace.ticked(30, rows({ large: 1 }));
    expect(pace.tickMs(rows({ large: 1 }))).toBeCloseTo(30);
    for (let i = 0; i < 500; i++) pace.ticked(5, rows({ large: 1 }));
    expect(pace.tickMs(rows({ large: 1 }))).toBeCloseTo(10);
  });

  it('the latest observations count most', () => {
    const pace = new Pace();
    for (let i = 0; i < 100; i++) pace.ended('plain', 10, 100);
    expect(pace.stepsOf('plain', 200)).toBeCloseTo(20);
    for (let i = 0; i < 100; i++) pace.ended('plain', 80, 100);
    expect(pace.stepsOf('plain', 200)).toBeCloseTo(160, 2);
    expect(pace.stepsOf('rain', 200)).toBe(200);
    for (let i = 0; i < 100; i++) pace.began('rain', 12);
    expect(pace.firstStepsOf('rain')).toBeCloseTo(12);
    expect(pace.stepsOf('plain', 0)).toBe(1);
  });
});
