// Scorers: what an answer is worth. They stand in searches only, and nest in each other.
import type { Direction, Member } from './distributions.js';
import { scorerBuilder, type Builder, type ScorerOf } from './spec.js';

/** The name of a reward model or of a scorer of the configuration, or a scorer. */
export type Scorer = string | ScorerSpec;

export type Range = readonly [least: number, most: number];

interface RewardFields extends ScorerOf<'reward'> {
  readonly model: string;
  /** Bounds that the score is cut to. */
  readonly range?: Range;
}

/** A number of a reward model, or a weighted sum of several. */
export type RewardScorer = RewardFields &
  (
    | {
        /** May be left out where the model has one. */
        readonly head?: string;
        readonly weights?: never;
      }
    | { readonly weights: { readonly [head: string]: number }; readonly head?: never }
  );

/** A direction over the heads of a reward model. */
export interface DirectionScorer extends ScorerOf<'direction'> {
  readonly model: string;
  readonly direction: Direction;
  /** Heads that the direction is over, in its order. */
  readonly axes?: readonly string[];
  /** Brings the heads to one scale; true. */
  readonly standardise?: boolean;
}

interface EnsembleFields extends ScorerOf<'ensemble'> {
  readonly members: readonly Scorer[];
  /** Whether each member's scores are first brought to mean 0 and deviation 1; all but "mean" do. */
  readonly centre?: boolean;
}

/** Several scorers, so that what only one of them likes does not win. */
export type EnsembleScorer = EnsembleFields &
  (
    | { readonly aggregate?: 'mean' | 'median' | 'min' | 'mean_minus_std'; readonly penalty?: never }
    | { readonly aggregate: 'uncertainty_weighted'; readonly penalty?: number }
  );

/** weight · Σ log(tuned(token) / reference(token)): the reward that tuning followed. */
export interface ImplicitScorer extends ScorerOf<'implicit'> {
  readonly tuned: Member;
  readonly reference: Member;
  readonly weight?: number;
}

/** A model says in words whether an answer is good. */
export interface SelfEvaluationScorer extends ScorerOf<'self_evaluation'> {
  readonly model: string;
  /** With {answer} and, as you like, {request} or {conversation}; {first} and {second} are the options. */
  readonly template: string;
  readonly options?: { readonly good: string; readonly bad: string };
  readonly labels?: readonly [string, string];
  readonly swap?: boolean;
  readonly least_mass?: number;
  readonly soft?: boolean;
}

/** An endpoint of the server's configuration. */
export interface HttpScorer extends ScorerOf<'http'> {
  readonly endpoint: string;
  readonly index?: number;
  readonly range?: Range;
}

export type ScorerSpec =
  RewardScorer | DirectionScorer | EnsembleScorer | ImplicitScorer | SelfEvaluationScorer | HttpScorer;

export const reward: Builder<RewardScorer> = scorerBuilder<RewardScorer>('reward');
export const direction: Builder<DirectionScorer> = scorerBuilder<DirectionScorer>('direction');
export const ensemble: Builder<EnsembleScorer> = scorerBuilder<EnsembleScorer>('ensemble');
export const implicit: Builder<ImplicitScorer> = scorerBuilder<ImplicitScorer>('implicit');
export const selfEvaluation: Builder<SelfEvaluationScorer> = scorerBuilder<SelfEvaluationScorer>('self_evaluation');
export const http: Builder<HttpScorer> = scorerBuilder<HttpScorer>('http');
