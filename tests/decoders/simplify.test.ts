import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { normalise } from '../../decoders/rows.js';
import {
  fused,
  linear,
  logits,
  logSoftmax,
  masked,
  maximum,
  nucleus,
  plausible,
  rewrite,
  viewsOf,
  where,
} from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { print } from '../../decoders/print.js';
import { rules, simplify } from '../../decoders/simplify.js';
import { rowOf, rowsFor, scoresTree } from '../support/arbitrary.js';
import type { Rows, TreeOptions } from '../support/arbitrary.js';
import { expectClose, isFragile } from '../support/laws.js';

const treeWithRows = (options: TreeOptions): fc.Arbitrary<{ expr: Scores; rows: Rows }> =>
  scoresTree(options).chain((expr) => rowsFor(expr, 6).map((rows) => ({ expr, rows })));

const [a, b] = [logits('a'), logits('b')];

describe('simplify', () => {
  it.each([
    { what: 'random tree', options: { depth: 4, masks: true }, numRuns: 2000, tolerance: 1e-9 },
    // The least point of a parabola is known to half the digits of its height.
    { what: 'tree with fusions', options: { depth: 3, masks: true, fusion: true }, numRuns: 500, tolerance: 1e-5 },
  ])('keeps the distribution of every $what', ({ options, numRuns, tolerance }) => {
    fc.assert(
      fc.property(treeWithRows(options), ({ expr, rows }) => {
        fc.pre(!isFragile(expr, rows, 1e-7));
        expectClose(
          normalise(evaluate(simplify(expr), rowOf(rows))),
          normalise(evaluate(expr, rowOf(rows))),
          tolerance,
          print(expr),
        );
      }),
      { numRuns },
    );
  });

  it('is idempotent and never needs a view that the original does not', () => {
    fc.assert(
      fc.property(scoresTree({ depth: 4, masks: true, fusion: true }), (expr) => {
        const simple = simplify(expr);
        expect(simplify(simple)).toEqual(simple);
        const before = viewsOf(expr).map((view) => view.model);
        for (const { model } of viewsOf(simple)) expect(before).toContain(model);
      }),
    );
  });

  it('knows no order among the members of a sum, a union or an intersection', () => {
    const permuted = (expr: Scores): Scores =>
      rewrite(expr, {
        logits: (node) => {
          if (node.kind === 'linear') return { ...node, terms: node.terms.toReversed() };
          return node.kind === 'maximum' || node.kind === 'minimum' ? { ...node, of: node.of.toReversed() } : node;
        },
        logprobs: (node) => node,
        mask: (node) => node,
      });
    fc.assert(
      fc.property(treeWithRows({ depth: 3, masks: true }), ({ expr, rows }) => {
        fc.pre(!isFragile(expr, rows, 1e-7));
        const [one, other] = [expr, permuted(expr)].map((each) => normalise(evaluate(simplify(each), rowOf(rows))));
        expectClose(other!, one!, 1e-9, print(expr));
      }),
    );
  });

  // One expression per rule, so that a rule which never fires is noticed.
  const examples: Record<string, { from: Scores; to: Scores }> = {
    flatten: {
      from: linear([
        [
          2,
          linear([
            [0.5, a],
            [-1, b],
          ]),
        ],
      ]),
      to: linear([
        [1, a],
        [-2, b],
      ]),
    },
    'merge equal members': {
      from: linear([
        [2, a],
        [1, b],
        [0.5, a],
      ]),
      to: linear([
        [2.5, a],
        [1, b],
      ]),
    },
    'drop zero weights': {
      from: linear([
        [0, a],
        [2, b],
      ]),
      to: linear([[2, b]]),
    },
    'unit weight': { from: linear([[1, a]]), to: a },
    'single member': { from: linear([[2, maximum([logSoftmax(a)])]]), to: linear([[2, a]]) },
    idempotence: {
      from: maximum([logSoftmax(a), logSoftmax(b), logSoftmax(a)]),
      to: maximum([logSoftmax(a), logSoftmax(b)]),
    },
    'equal branches': { from: where(plausible(logSoftmax(b), 0.2), a, a), to: a },
    'full mask': { from: where(nucleus(logSoftmax(b), 1), a, b), to: a },
    'mask twice': {
      from: masked(masked(a, plausible(logSoftmax(b), 0.2)), plausible(logSoftmax(b), 0.2)),
      to: masked(a, plausible(logSoftmax(b), 0.2)),
    },
    'idle fusion': {
      from: fused({
        base: logSoftmax(a),
        reference: logSoftmax(b),
        experts: [logSoftmax(b)],
        search: 'single',
        bounds: [2],
      }),
      to: a,
    },
  };

  it.each(rules)('$name: $equation', ({ name, apply }) => {
    const example = examples[name];
    expect(example, `no example for the rule ${name}`).toBeDefined();
    expect(simplify(example!.from)).toEqual(example!.to);
    // The rule itself takes part somewhere in the tree.
    let fired = false;
    rewrite(example!.from, {
      logits: (node) => {
        fired ||= apply(node) !== null;
        return node;
      },
      logprobs: (node) => node,
      mask: (node) => node,
    });
    expect(fired).toBe(true);
  });

  it('does not lose what a cancelled member forbids', () => {
    const half = masked(a, plausible(logSoftmax(a), 0.9));
    const expr = linear([
      [1, b],
      [1, half],
      [-1, half],
    ]);
    const rows = rowOf(
      new Map([
        ['["a","default"]', Float32Array.of(5, 0, 0)],
        ['["b","default"]', Float32Array.of(1, 2, 3)],
      ]),
    );
    expect(Array.from(evaluate(expr, rows))).toEqual([1, -Infinity, -Infinity]);
    expect(Array.from(evaluate(simplify(expr), rows))).toEqual([1, -Infinity, -Infinity]);
  });
});
