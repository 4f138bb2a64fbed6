// Expressions as JSON: a way to keep or show any of them. formula.ts reads it back.
import { DEFAULT_PROMPT, type Expr } from './expr.js';
import type { Json } from './fields.js';
import { promptOf, writePrompt } from './prompt.js';

/** The inverse of `readExpression`, where a leaf reads {"model", "prompt"}. */
export function writeExpression(node: Expr): Json {
  switch (node.kind) {
    case 'logits': {
      const { model, prompt } = node.view;
      return prompt === DEFAULT_PROMPT ? model : { model, prompt: writePrompt(promptOf(prompt)) };
    }
    case 'linear':
      return { op: 'sum', terms: node.terms.map(({ weight, of }) => ({ weight, of: writeExpression(of) })) };
    case 'maximum':
      return { op: 'union', of: node.of.map(writeExpression) };
    case 'minimum':
      return { op: 'intersection', of: node.of.map(writeExpression) };
    case 'logSoftmax':
      return { op: 'log_softmax', of: writeExpression(node.of) };
    case 'masked':
      return { op: 'masked', of: writeExpression(node.of), mask: writeExpression(node.mask) };
    case 'where': {
      const [mask, then, otherwise] = [node.mask, node.then, node.otherwise].map(writeExpression);
      return { op: 'where', mask: mask ?? null, then: then ?? null, otherwise: otherwise ?? null };
    }
    case 'fused':
      return {
        op: 'fused',
        base: writeExpression(node.base),
        reference: writeExpression(node.reference),
        experts: node.experts.map(writeExpression),
        search: node.search,
        bounds: node.bounds,
      };
    case 'plausible':
      return { op: 'plausible', of: writeExpression(node.of), ratio: node.ratio };
    case 'nucleus':
      return { op: 'nucleus', of: writeExpression(node.of), mass: node.mass };
    default:
      return node satisfies never;
  }
}
