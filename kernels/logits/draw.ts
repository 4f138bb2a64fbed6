// A token by way of a proposal, as nodes of a graph: the proposal stands with probability p / q, otherwise the token comes from what p has
// more than q. Defined by its naive twin, decoders/speculation.ts. Used by the sampler, after it has made weights of both.
import type { GraphBuilder, Value } from '../graph.js';
import { And, Cast, Div, Greater, Less, Mul, Not, Or, ReduceSum, Relu, ScatterElements, Sub, Where } from '../ops.js';
import { blockDraw } from './blocks.js';
import { at, type Choice } from './stage.js';

const perRow = { axes: [1], keepdims: true } as const;

/** `q` is null where proposals were looked up: all of its mass is on them. */
export function drawByDraft(graph: GraphBuilder, p: Choice, q: Choice | null, width: number): Choice {
  const proposal = Cast(graph.input('draft_id', 'int32', ['R', 1]), 'int64');
  const target = probsOf(p);
  const source = q && probsOf(q);
  const own = at(target, proposal);
  const threshold = graph.input('draft_accept', 'float64', ['R', 1]);
  const stands = Less(source ? Mul(threshold, Cast(at(source, proposal), 'float64')) : threshold, Cast(own, 'float64'));
  const rest = source ? Relu(Sub(target, source)) : ScatterElements(target, proposal, Sub(own, own), { axis: 1 });
  const { place, total } = blockDraw(rest, graph.input('draft_residual', 'float64', ['R', 1]), width);
  // Nothing is left over where p and q are one; rounding alone can have refused the proposal then.
  const isProposal = Or(stands, Not(Greater(total, 0)));
  return {
    ...p,
    id: Where(isProposal, proposal, place),
    covered: p.covered && q?.covered ? And(p.covered, q.covered) : p.covered,
  };
}

/** The sum of a row of weights is above zero. */
function probsOf(choice: Choice): Value {
  const weights = choice.weights();
  return choice.areProbs ? weights : Div(weights, ReduceSum(weights, perRow));
}
