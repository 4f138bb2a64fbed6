// Distributions: formulas over models that give the next token's law. Fields have the names, defaults and ranges of `GET /v1/decoding/methods`.
import type { Expression } from './expressions.js';
import type { Prompt } from './prompts.js';
import { methodBuilder, type Builder, type DistributionOf, type FieldsOf } from './spec.js';
import type { ClassifiedFormulaSpec, DpaRewardSpec } from './searches.js';

/** Where a model may stand: its name, a deployment's name, a model with another prompt, or a distribution. */
export type Member = string | View | DistributionSpec;

/** Short for `plain`. */
export interface View {
  readonly method?: never;
  /** What has a kind is a scorer. */
  readonly kind?: never;
  readonly speculation?: never;
  readonly model: Member;
  readonly prompt?: Prompt;
  /** Of a model that reads pictures: the projection by which it sees them. */
  readonly projection?: string;
}

export interface WeightedMember {
  readonly model: Member;
  readonly weight: number;
}

/** Degrees in the plane of two axes, components in the order of the axes, or components by name. Scaled to length 1. */
export type Direction = number | readonly number[] | { readonly [axis: string]: number };

/** One model, as it is, or with another prompt. */
export interface PlainSpec extends DistributionOf<'plain'> {
  readonly model: Member;
  readonly prompt?: Prompt;
  /** Of a model that reads pictures: the projection by which it sees them. */
  readonly projection?: string;
}

interface EftFields extends DistributionOf<'eft'> {
  /** The large model. */
  readonly base: Member;
  /** The small tuned model, or several to interpolate between. */
  readonly tuned: Member | readonly WeightedMember[];
  /** The small model before tuning. */
  readonly reference: Member;
  /** How much of the difference is added; 1. */
  readonly weight?: number;
}

/** proxy: base + weight·(tuned − reference). amplified: tuned + weight·(base − reference). */
export type EftSpec = EftFields &
  (
    | { readonly form?: 'proxy'; readonly keep?: never }
    | {
        readonly form: 'amplified';
        /** The mass of the tuned model's likeliest tokens that are scaled by size; 1 is all. */
        readonly keep?: number;
      }
  );

/** base + Σ aₜ·(expertₜ − reference), with aₜ solved for every token. */
export interface FusionSpec extends DistributionOf<'fusion'> {
  readonly base: Member;
  readonly reference: Member;
  readonly experts: Member | readonly Member[];
  /** single (default): one expert acts on a token. joint: several may. */
  readonly search?: 'single' | 'joint';
  /** Largest weight: one number for all experts, or one for each; 2. */
  readonly bounds?: number | readonly number[];
}

/** base + Σ weightₜ·(expertₜ − reference). */
export interface StaticFusionSpec extends DistributionOf<'static_fusion'> {
  readonly base: Member;
  readonly reference: Member;
  readonly experts: Member | readonly WeightedMember[];
}

/** reference + strength·(aligned − reference). */
export interface RealignSpec extends DistributionOf<'realign'> {
  readonly aligned: Member;
  readonly reference: Member;
  /** 0 is the reference, 1 (default) the aligned model, above 1 extrapolates. */
  readonly strength?: number;
}

/** weight·model + (1 − weight)·model with the negative prompt. */
export interface GuidanceSpec extends DistributionOf<'guidance'> {
  readonly model: Member;
  readonly negative_prompt?: Prompt;
  /** 1 is off; 1.5. */
  readonly weight?: number;
}

/** What a good model says and a poor one does not, among tokens that the good one finds plausible. */
export interface ContrastiveSpec extends DistributionOf<'contrastive'> {
  readonly expert: Member;
  readonly amateur: Member;
  readonly form?: 'original' | 'weighted';
  readonly contrast?: number;
  readonly amateur_temperature?: number;
  readonly plausibility?: number;
}

/** (1 + contrast)·positive − contrast·negative, on plausible tokens of positive. */
export interface DcdSpec extends DistributionOf<'dcd'> {
  readonly positive: Member;
  readonly negative: Member;
  readonly contrast?: number;
  readonly plausibility?: number;
}

/** dcd whose negative is the same model before pictures under diffusion noise. */
export interface VcdSpec extends DistributionOf<'vcd'> {
  readonly model: Member;
  /** Steps of 1000; 500. */
  readonly noise?: number;
  readonly contrast?: number;
  readonly plausibility?: number;
}

/** A model that was trained to be told a direction. */
export interface DpaPromptSpec extends DistributionOf<'dpa'> {
  readonly mode?: 'prompt';
  readonly inner: Member;
  readonly direction: Direction;
  readonly experts?: never;
  readonly reference?: never;
}

/** One model per objective, by its name. */
export interface DpaExpertsSpec extends DistributionOf<'dpa'> {
  readonly mode: 'experts';
  readonly experts: { readonly [axis: string]: Member };
  readonly reference?: Member;
  readonly direction: Direction;
  readonly inner?: never;
}

/** An expression of your own: see `expr`. */
export interface FormulaSpec extends DistributionOf<'formula'> {
  readonly expression: Expression;
  /** Whether a sum at the root is divided by the sum of its coefficients; true. */
  readonly normalise?: boolean;
}

export type DistributionSpec =
  | PlainSpec
  | EftSpec
  | FusionSpec
  | StaticFusionSpec
  | RealignSpec
  | GuidanceSpec
  | ContrastiveSpec
  | DcdSpec
  | VcdSpec
  | DpaPromptSpec
  | DpaExpertsSpec
  | FormulaSpec;

export const plain: Builder<PlainSpec> = methodBuilder<PlainSpec>('plain');
export const eft: Builder<EftSpec> = methodBuilder<EftSpec>('eft');
export const fusion: Builder<FusionSpec> = methodBuilder<FusionSpec>('fusion');
export const staticFusion: Builder<StaticFusionSpec> = methodBuilder<StaticFusionSpec>('static_fusion');
export const realign: Builder<RealignSpec> = methodBuilder<RealignSpec>('realign');
export const guidance: Builder<GuidanceSpec> = methodBuilder<GuidanceSpec>('guidance');
export const contrastive: Builder<ContrastiveSpec> = methodBuilder<ContrastiveSpec>('contrastive');
export const dcd: Builder<DcdSpec> = methodBuilder<DcdSpec>('dcd');
export const vcd: Builder<VcdSpec> = methodBuilder<VcdSpec>('vcd');

/** With a classifier among the terms of its root it is a search, and what comes back is one. */
export function formula(fields: FieldsOf<FormulaSpec>): FormulaSpec;
export function formula(fields: FieldsOf<ClassifiedFormulaSpec>): ClassifiedFormulaSpec;
export function formula(fields: object): object {
  return Object.freeze({ method: 'formula', ...fields });
}

/** In the mode `reward` a direction is followed by a search, and what comes back is one. */
export function dpa(fields: FieldsOf<DpaPromptSpec>): DpaPromptSpec;
export function dpa(fields: FieldsOf<DpaExpertsSpec>): DpaExpertsSpec;
export function dpa(fields: FieldsOf<DpaRewardSpec>): DpaRewardSpec;
export function dpa(fields: object): object {
  return Object.freeze({ method: 'dpa', ...fields });
}
