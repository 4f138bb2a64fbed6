// Builders, one per method. Operators of formulas are in `expr`, scorers in `scorer`: their names would mean little by themselves.
export * from './distributions.js';
export * from './searches.js';
export * as expr from './expressions.js';
export * as scorer from './scorers.js';
export { speculate, type Decoding, type Dials, type Spec, type Speculating } from './decoding.js';
export type { ClassifiedSum, Classifier, Expression, Mask, Operator, Term } from './expressions.js';
export type { Prompt, PromptMessage } from './prompts.js';
export type {
  DirectionScorer,
  EnsembleScorer,
  HttpScorer,
  ImplicitScorer,
  Range,
  RewardScorer,
  Scorer,
  ScorerSpec,
  SelfEvaluationScorer,
} from './scorers.js';
export type { Budget, Speculation } from './spec.js';
