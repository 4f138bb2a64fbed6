// The dials of the playground: which numbers of a spec a hand may turn, and the patch that turns one.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dialsOf, merged, patchOf } from '../../clients/page/src/dials.js';
import type { MethodDescription } from '../../clients/typescript/src/index.js';
import { describeMethods } from '../../decoders/explain.js';

/** As the route tells them. */
const methods = JSON.parse(JSON.stringify(describeMethods())) as readonly MethodDescription[];
const eft = { method: 'eft', base: 'large', tuned: 'chat', reference: 'small', weight: 0.6, form: 'proxy', keep: 1 };

describe('dials', () => {
  it('are the numbers of the method, within a hand’s reach of their value', () => {
    const [weight, keep] = dialsOf(eft, methods);
    expect(weight).toMatchObject({ kind: 'slider', label: 'weight', value: 0.6, least: 0, most: 2 });
    expect(keep).toMatchObject({ kind: 'slider', label: 'keep', value: 1, least: 0, most: 1 });
  });

  it('reach into members and their shares', () => {
    const spec = {
      method: 'guidance',
      model: {
        ...eft,
        tuned: [
          { model: 'chat', weight: 0.5 },
          { model: 'safe', weight: 0.5 },
        ],
      },
      weight: 1.5,
    };
    const labels = dialsOf(spec, methods).map(({ label }) => label);
    expect(labels).toEqual(['weight of chat', 'weight of safe', 'model.weight', 'model.keep', 'weight']);
  });

  it('have a compass for a direction over two objectives, however it is written', () => {
    const experts = { polite: 'a', safe: 'b' };
    for (const direction of [90, [0, 2], { polite: 0, safe: 1 }])
      expect(dialsOf({ method: 'dpa', mode: 'experts', experts, direction }, methods)).toMatchObject([
        { kind: 'compass', axes: ['polite', 'safe'], degrees: 90 },
      ]);
    expect(dialsOf({ method: 'dpa', direction: [1, 1, 1] }, methods)).toEqual([]);
  });

  it('know nothing of what no method has', () => {
    for (const spec of [null, 'large', 3, [], { method: 'unheard of', weight: 1 }])
      expect(dialsOf(spec, methods)).toEqual([]);
  });
});

describe('patches', () => {
  it('change the one place, whatever the spec is', () => {
    const key = fc.constantFrom('a', 'b', 'c');
    const { spec: specs } = fc.letrec<{ spec: unknown }>((tie) => ({
      spec: fc.oneof(
        { maxDepth: 4 },
        fc.integer(),
        fc.array(tie('spec'), { maxLength: 3 }),
        fc.dictionary(key, tie('spec')),
      ),
    }));
    /** Every place that is there. */
    const places = (spec: unknown, path: (string | number)[] = []): (string | number)[][] => {
      if (typeof spec !== 'object' || spec === null) return [path];
      const entries: [string | number, unknown][] = Array.isArray(spec) ? [...spec.entries()] : Object.entries(spec);
      return [path, ...entries.flatMap(([name, inner]) => places(inner, [...path, name]))];
    };
    const at = (spec: unknown, path: readonly (string | number)[]): unknown =>
      path.reduce<unknown>((inner, name) => (inner as Record<string | number, unknown>)[name], spec);
    fc.assert(
      fc.property(specs, fc.nat(), fc.integer(), (spec, nth, value) => {
        const all = places(spec);
        const path = all[nth % all.length]!;
        const changed = merged(spec, patchOf(spec, path, value));
        expect(at(changed, path)).toEqual(value);
        const others = all.filter((other) => other.some((name, depth) => depth < path.length && name !== path[depth]));
        for (const other of others) expect(at(changed, other)).toEqual(at(spec, other));
      }),
    );
  });
});
