// A field that names one model, for what is asked in words or embeds texts: a distribution over several would have no prompt of its own.
import { DEFAULT_PROMPT } from './expr.js';
import { SpecError } from './fields.js';
import type { Field, FieldContext } from './fields.js';

/** The model's own name, also where a deployment's name stands for nothing but a model. */
export function modelName(help: string): Field<string> {
  return {
    type: 'model',
    help,
    range: '',
    fallback: undefined,
    read: readModelName,
    show: (value) => value,
  };
}

export function readModelName(value: unknown, path: string, context: FieldContext): string {
  const { scores } = context.member(value, path);
  if (scores.kind === 'logits' && scores.view.prompt === DEFAULT_PROMPT) return scores.view.model;
  throw new SpecError(path, 'not allowed', value, 'Name one model: this cannot be asked of a method or with a prompt.');
}
