// What every decoder graph is told of the tokens of a forward, wherever it runs: their ids, their places and the rope rows of these. Masks,
// past keys and values differ by device: model.ts and device-model.ts add theirs.
import { Tensor } from '../session.js';
import type { Segment } from './masks.js';
import * as ports from './ports.js';
import type { RopeTables } from './rope.js';
import type { DecoderSpec } from './spec.js';

export interface TokenBatch {
  /** B */
  readonly rows: number;
  /** S: new tokens per row, padded to the widest. */
  readonly width: number;
  /** [B·S]; padding may be any valid id. */
  readonly ids: Int32Array;
  /** [B·S] */
  readonly positions: Int32Array;
  /** [B]: whose new tokens lie in a row. */
  readonly segments: readonly (readonly Segment[])[];
  /** Flat positions b·S + s whose logits are wanted; may be empty. */
  readonly logitSlots: Int32Array;
  /** [B·S]: use the long rope factors (total length beyond spec.ropeSwitchLength). null: no token does. */
  readonly longRope: readonly boolean[] | null;
  /** Hidden states are wanted beside the logits. */
  readonly wantsHidden?: boolean;
}

/** `wanted`: does the graph have an input of this name? */
export function tokenFeeds(
  { rows, width, ids, positions, longRope }: TokenBatch,
  spec: DecoderSpec,
  ropes: readonly RopeTables[],
  wanted: (name: string) => boolean,
): Record<string, Tensor> {
  const tokens = rows * width;
  const feeds: Record<string, Tensor> = { [ports.idsInput]: new Tensor('int32', ids, [tokens]) };
  if (spec.learnedPositions !== null) feeds[ports.positionsInput] = new Tensor('int32', positions, [tokens]);
  if (wanted(ports.ropeIndexInput))
    feeds[ports.ropeIndexInput] = new Tensor(
      'int64',
      BigInt64Array.from({ length: tokens }, (_, i) => BigInt(i)),
      [rows, width],
    );
  ropes.forEach((tables, i) => {
    // A spec may describe a rope that none of its layers uses.
    if (!wanted(ports.cosInput(i))) return;
    const isLong = (index: number): boolean => longRope?.[index] ?? false;
    const { cos, sin } = tables.rows(positions, isLong);
    feeds[ports.cosInput(i)] = new Tensor('float32', cos, [tokens, tables.width]);
    feeds[ports.sinInput(i)] = new Tensor('float32', sin, [tokens, tables.width]);
  });
  return feeds;
}
