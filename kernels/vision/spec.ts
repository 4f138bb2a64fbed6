// What a vision tower and its projector are, as data: read.ts reads it from a config.json, build.ts makes graphs of it. Part of a
// DecoderSpec and kept with the artifact.
import type { Activation } from '../decoder/spec.js';

export interface TowerSpec {
  /** clip: a class token before the patches and a norm before the layers. siglip: neither, and a bias on the patches. */
  readonly kind: 'clip' | 'siglip';
  readonly hiddenSize: number;
  readonly heads: number;
  /** In the checkpoint; those after the last feature layer are not computed. */
  readonly layers: number;
  readonly mlpSize: number;
  readonly activation: Activation;
  readonly epsilon: number;
  /** Pixels a side, of a picture and of a patch. */
  readonly imageSize: number;
  readonly patchSize: number;
}

export interface VisionSpec {
  readonly tower: TowerSpec;
  /** Whose outputs are the features, side by side: 0 is what goes into the first layer, n what comes out of the n-th. */
  readonly featureLayers: readonly number[];
  /** The first token's features are left out: vision_feature_select_strategy "default", whatever the tower has there. */
  readonly dropsFirst: boolean;
  readonly projector: { readonly activation: Activation; readonly bias: boolean };
  /** The token of the vocabulary in whose places a picture's rows stand. */
  readonly imageTokenId: number;
}

/** Tokens that the tower sees of one picture. */
export function towerTokens({ kind, imageSize, patchSize }: TowerSpec): number {
  const patches = Math.floor(imageSize / patchSize) ** 2;
  return kind === 'clip' ? patches + 1 : patches;
}

/** Rows of one picture in a prompt. */
export const imageTokens = ({ tower, dropsFirst }: VisionSpec): number => towerTokens(tower) - (dropsFirst ? 1 : 0);

/** Width of the features that the projector reads. */
export const featureSize = ({ tower, featureLayers }: VisionSpec): number => tower.hiddenSize * featureLayers.length;
