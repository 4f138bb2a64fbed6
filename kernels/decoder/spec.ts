// What a decoder is, with the family's spelling taken out: plain data that is stored beside the artifact. Families make it from a
// config.json, build.ts turns it into a graph, model.ts reads the host's part of it (rope tables, windows, head shapes).
import type { VisionSpec } from '../vision/spec.js';

export type Activation = 'silu' | 'gelu' | 'gelu_tanh' | 'quick_gelu' | 'relu';

/** Angles of a rotary embedding: position · frequency, cosine and sine multiplied by `scale`. */
export interface RopeSpec {
  readonly frequencies: readonly number[];
  /** The frequencies of rows longer than the spec's ropeSwitchLength (longrope), else null. */
  readonly longFrequencies: readonly number[] | null;
  readonly scale: number;
}

export interface MlpSpec {
  /** gated: down(act(gate) · up); plain: down(act(up)). */
  readonly kind: 'gated' | 'plain';
  readonly activation: Activation;
  readonly size: number;
  readonly bias: boolean;
}

/** Which of the four places of a block have a norm: before and after attention, before and after the feed-forward part. */
export interface NormPlaces {
  readonly attentionIn: boolean;
  readonly attentionOut: boolean;
  readonly mlpIn: boolean;
  readonly mlpOut: boolean;
}

export interface LayerSpec {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Multiplies q·k. */
  readonly scale: number;
  /** A token sees this many positions, itself included; null sees all. */
  readonly window: number | null;
  /** Index into `ropes`; null: no rotation. */
  readonly rope: number | null;
  /** RMS norm of q and k before the rotation: per head, or over the whole projection. */
  readonly qkNorm: 'head' | 'full' | null;
  /** cap · tanh(score / cap), after scaling, before the mask. */
  readonly softcap: number | null;
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly norms: NormPlaces;
  readonly mlp: MlpSpec;
}

export type HeadSpec =
  | { readonly kind: 'lm'; readonly tied: boolean; readonly softcap: number | null }
  | { readonly kind: 'classification'; readonly labels: readonly string[] };

export interface DecoderSpec {
  readonly family: string;
  readonly hiddenSize: number;
  readonly vocabSize: number;
  /** The longest sequence that the positions were made for. */
  readonly contextLength: number;
  readonly embeddingScale: number;
  /** Rows of a learned position table, or null. */
  readonly learnedPositions: number | null;
  readonly norm: {
    readonly kind: 'rms' | 'layer';
    readonly epsilon: number;
    /** Added to the stored scale: 1 where the checkpoint stores w of (1 + w). */
    readonly offset: 0 | 1;
  };
  readonly ropes: readonly RopeSpec[];
  /** Rows whose total length exceeds this use longFrequencies, for all their positions; null where there is no switch. */
  readonly ropeSwitchLength: number | null;
  readonly layers: readonly LayerSpec[];
  readonly head: HeadSpec;
  /** What comes before the decoder where it reads pictures too. */
  readonly vision?: VisionSpec;
}
