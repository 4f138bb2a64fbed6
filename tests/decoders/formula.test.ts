// Expressions as JSON: every one survives the way there and back, and what is read is what was written.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logits, logSoftmax, maximum } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { readExpression } from '../../decoders/formula.js';
import { writeExpression } from '../../decoders/formula-json.js';
import { promptKey, promptOf, readPrompt, writePrompt } from '../../decoders/prompt.js';
import type { PromptVariant } from '../../decoders/prompt.js';
import { scoresTree } from '../support/arbitrary.js';

/** A leaf is a model's name or {"model", "prompt"}. */
const leaf = (value: unknown, path: string): { scores: Scores; effective: null } => {
  if (typeof value === 'string') return { scores: logits(value), effective: null };
  const { model, prompt } = value as { model: string; prompt: unknown };
  return { scores: logits(model, promptKey(readPrompt(prompt, path))), effective: null };
};
const back = (text: string): Scores => readExpression(JSON.parse(text), 'expression', { leaf }).scores;

describe('an expression', () => {
  it('survives JSON', () => {
    fc.assert(
      fc.property(scoresTree({ depth: 3, masks: true, fusion: true }), (expr) => {
        expect(back(JSON.stringify(writeExpression(expr)))).toEqual(expr);
      }),
    );
  });
  it('with prompts too', () => {
    const expr = maximum([
      logSoftmax(logits('a', promptKey({ kind: 'system', text: 'Be brief.' }))),
      logSoftmax(logits('a', promptKey({ kind: 'lastToken' }))),
    ]);
    expect(back(JSON.stringify(writeExpression(expr)))).toEqual(expr);
  });
  it('normalises what an operator needs normalised, once', () => {
    expect(back('{"op":"union","of":["a",{"op":"log_softmax","of":"b"}]}')).toEqual(
      maximum([logSoftmax(logits('a')), logSoftmax(logits('b'))]),
    );
  });
});

describe('a prompt', () => {
  const variants: readonly PromptVariant[] = [
    { kind: 'own' },
    { kind: 'lastToken' },
    { kind: 'system', text: null },
    { kind: 'system', text: 'Say "no".\n' },
    { kind: 'text', text: 'Once' },
    { kind: 'messages', messages: [{ role: 'user', content: 'Hi' }] },
  ];
  it.each(variants)('%j has a key of its own, and the key says what it is', (variant) => {
    expect(promptOf(promptKey(variant))).toEqual(variant);
    expect(variants.filter((other) => promptKey(other) === promptKey(variant))).toEqual([variant]);
    if (variant.kind !== 'own') expect(readPrompt(writePrompt(variant), 'prompt')).toEqual(variant);
  });
});
