// Searches: they look ahead, have it judged and go back, over any distribution. A search is the root of a tree and stands in no other method.
import type { Direction, Member } from './distributions.js';
import type { ClassifiedSum } from './expressions.js';
import type { Range, Scorer } from './scorers.js';
import { methodBuilder, type Builder, type SearchOf } from './spec.js';

/** Writes `n` answers (8) and gives the one with the best score. */
export interface BestOfNSpec extends SearchOf<'best_of_n'> {
  readonly inner: Member;
  readonly scorer: Scorer;
  readonly n?: number;
  /** Draws by score, with this temperature, in place of taking the best. */
  readonly soft?: number;
}

/** Writes continuations of a few tokens, keeps the best, and goes on from it. */
export interface BlockwiseSpec extends SearchOf<'blockwise'> {
  readonly inner: Member;
  readonly scorer: Scorer;
  readonly candidates?: number;
  /** Tokens of a block, at most; 16. */
  readonly block?: number;
  readonly soft?: number;
}

/** Every next token by its log-probability plus what a reward model says of the answer so far. */
export interface ArgsSpec extends SearchOf<'args'> {
  readonly inner: Member;
  readonly reward: Scorer;
  readonly candidates?: number;
  readonly reward_weight?: number;
  readonly block?: number;
  readonly reward_range?: Range;
}

interface TransferQFields extends SearchOf<'transfer_q'> {
  /** Where the candidates come from. */
  readonly proposal: Member;
  /** The aligned model that looks ahead. */
  readonly baseline: Member;
  readonly reward: Scorer;
  readonly candidates?: number;
  readonly rollouts?: number;
  readonly lookahead?: number;
  readonly rollout_sampling?: 'greedy' | 'sampled';
  readonly reward_weight?: number;
  readonly block?: number;
  readonly halving?: boolean;
  readonly reuse?: boolean;
  readonly reward_range?: Range;
}

/** Every next token by how an aligned model would go on after it, and what a reward model says of that. */
export type TransferQSpec = TransferQFields &
  (
    | {
        readonly transfer?: 'direct';
        readonly baseline_reward?: never;
        readonly importance?: never;
        readonly inverse_beta?: never;
      }
    | {
        readonly transfer: 'indirect';
        /** The reward that the baseline is aligned with. */
        readonly baseline_reward: Scorer;
        readonly importance?: 'self_normalised' | 'code' | 'none';
        readonly inverse_beta?: number;
      }
  );

/** A model judges what it is about to say, goes back and says something better. */
export interface RainSpec extends SearchOf<'rain'> {
  readonly inner: Member;
  readonly judge: Scorer;
  /** "off" (default), or a model whose embeddings tell which sets are alike. */
  readonly similarity?: string;
  readonly candidates?: number;
  readonly set_tokens?: number | readonly number[];
  readonly lookahead?: number;
  readonly max_iterations?: number;
  readonly extra_iterations?: number;
  readonly min_visits?: number;
  readonly value_threshold?: number;
  readonly exploration?: number;
  readonly smoothing?: number;
  readonly similarity_threshold?: number;
  readonly similarity_discount?: number;
  readonly max_children?: number;
  readonly add_spread?: number;
  readonly add_below?: number;
  readonly parallel?: number;
}

/** Writes answers until one is accepted, the more readily the better its score. */
export interface RejectionSpec extends SearchOf<'rejection'> {
  readonly inner: Member;
  readonly scorer: Scorer;
  /** The greatest score there is; the bound of the scorer when left out. */
  readonly most?: number;
  readonly temperature?: number;
  readonly tries?: number;
  readonly at_once?: number;
}

type Steered<Spec> =
  Spec extends SearchOf<string>
    ? Omit<Spec, 'inner' | 'proposal' | 'scorer' | 'reward' | 'budget' | 'speculation'>
    : never;

/** A search that follows a direction: by its name, or with parameters of its own. */
export type SteeredSearch =
  | 'best_of_n'
  | 'blockwise'
  | 'rejection'
  | 'args'
  | Steered<BestOfNSpec | BlockwiseSpec | RejectionSpec | ArgsSpec | TransferQSpec>;

/** A direction over the heads of a reward model, followed by a search. Built by `dpa`. */
export interface DpaRewardSpec extends SearchOf<'dpa'> {
  readonly mode: 'reward';
  readonly direction: Direction;
  readonly inner: Member;
  readonly reward: string;
  readonly axes?: readonly string[];
  readonly standardise?: boolean;
  readonly search: SteeredSearch;
}

/** An expression of your own with classifiers among its terms. Built by `formula`. */
export interface ClassifiedFormulaSpec extends SearchOf<'formula'> {
  readonly expression: ClassifiedSum;
  /** Whether the sum is divided by the sum of its coefficients, those of classifiers left out; true. */
  readonly normalise?: boolean;
  /** How many of the likeliest tokens the classifiers are asked about; 50. */
  readonly candidates?: number;
}

export type SearchSpec =
  | BestOfNSpec
  | BlockwiseSpec
  | ArgsSpec
  | TransferQSpec
  | RainSpec
  | RejectionSpec
  | DpaRewardSpec
  | ClassifiedFormulaSpec;

/** A search over `inner`: `rain({inner: eft({…}), judge: …})`, or `rain(eft({…}), {judge: …})`. */
export interface SearchBuilder<Spec extends { readonly inner: Member }> {
  (fields: Omit<Spec, 'method'>): Spec;
  (inner: Member, fields: Omit<Spec, 'method' | 'inner'>): Spec;
}

function searchBuilder<Spec extends SearchOf<string> & { readonly inner: Member }>(
  method: Spec['method'],
): SearchBuilder<Spec> {
  return (first: Member | object, rest?: object): Spec =>
    Object.freeze({
      method,
      ...(rest === undefined ? (first as object) : { inner: first, ...rest }),
    }) as unknown as Spec;
}

export const bestOfN: SearchBuilder<BestOfNSpec> = searchBuilder<BestOfNSpec>('best_of_n');
export const blockwise: SearchBuilder<BlockwiseSpec> = searchBuilder<BlockwiseSpec>('blockwise');
export const args: SearchBuilder<ArgsSpec> = searchBuilder<ArgsSpec>('args');
export const rain: SearchBuilder<RainSpec> = searchBuilder<RainSpec>('rain');
export const rejection: SearchBuilder<RejectionSpec> = searchBuilder<RejectionSpec>('rejection');
export const transferQ: Builder<TransferQSpec> = methodBuilder<TransferQSpec>('transfer_q');
