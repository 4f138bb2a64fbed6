// A vision tower and its projectors on the CPU: pixels → features → rows of the decoder's width. It keeps nothing: what is worth keeping,
// the engine keeps (server/engine/images.ts).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { WeightFormat } from '../decoder/format.js';
import type { TensorSource } from '../decoder/weights.js';
import { createSession, type Session, Tensor } from '../session.js';
import { verify } from '../verify.js';
import { modelFile, writeGraph } from '../write.js';
import {
  type BuiltPart,
  buildProjector,
  buildTower,
  featuresInput,
  featuresOutput,
  patchesInput,
  rowsOutput,
} from './build.js';
import { featureSize, imageTokens, type VisionSpec } from './spec.js';

const visionFile = 'vision.json';
const towerFolder = 'tower';
const projectorFolder = 'projector';
const projectionFolder = (name: string): string => `projection.${name}`;

/** Writes the parts into a model folder, each into a folder of its own; returns how many parameters they have. */
export function writeVision(
  spec: VisionSpec,
  hiddenSize: number,
  source: TensorSource,
  projections: ReadonlyMap<string, TensorSource>,
  format: WeightFormat,
  directory: string,
): number {
  const write = (folder: string, { graph, parameters }: BuiltPart): number => {
    verify(graph);
    const into = path.join(directory, folder);
    mkdirSync(into);
    writeGraph(graph, into);
    return parameters;
  };
  const parts = [
    write(towerFolder, buildTower(spec, source, format)),
    write(projectorFolder, buildProjector(spec, hiddenSize, source)),
  ];
  for (const [name, projection] of projections)
    write(projectionFolder(name), buildProjector(spec, hiddenSize, projection));
  writeFileSync(path.join(directory, visionFile), JSON.stringify({ projections: [...projections.keys()] }), {
    flush: true,
  });
  return parts.reduce((sum, count) => sum + count, 0);
}

export class VisionModel {
  readonly spec: VisionSpec;
  /** Names of the projections beside the checkpoint's own projector. */
  readonly projections: readonly string[];
  readonly #tower: Session;
  /** By name; '' is the checkpoint's own. */
  readonly #projectors: ReadonlyMap<string, Session>;

  private constructor(spec: VisionSpec, tower: Session, projectors: ReadonlyMap<string, Session>) {
    this.spec = spec;
    this.#tower = tower;
    this.#projectors = projectors;
    this.projections = [...projectors.keys()].filter((name) => name !== '');
  }

  /** Loads what writeVision wrote. */
  static async load(directory: string, spec: VisionSpec, { threads }: { threads: number }): Promise<VisionModel> {
    const { projections } = JSON.parse(readFileSync(path.join(directory, visionFile), 'utf8')) as {
      readonly projections: readonly string[];
    };
    const open = (folder: string): Promise<Session> =>
      createSession({ path: path.join(directory, folder, modelFile) }, { threads, device: 'cpu' });
    const tower = await open(towerFolder);
    const projectors = new Map([['', await open(projectorFolder)]]);
    for (const name of projections) projectors.set(name, await open(projectionFolder(name)));
    return new VisionModel(spec, tower, projectors);
  }

  /** Normalised pixels [3, size, size] → features [imageTokens, featureSize]. */
  async encode(pixels: Float32Array): Promise<Float32Array> {
    const { imageSize, patchSize } = this.spec.tower;
    const patches = cutPatches(pixels, imageSize, patchSize);
    const dims = [Math.floor(imageSize / patchSize) ** 2, 3 * patchSize ** 2];
    const results = await this.#tower.run({ [patchesInput]: new Tensor('float32', patches, dims) });
    return results[featuresOutput]?.data as Float32Array;
  }

  /** Features → rows [imageTokens, hidden] of a projection, or of the checkpoint's own projector. */
  async project(features: Float32Array, projection: string | null): Promise<Float32Array> {
    const projector = this.#projectors.get(projection ?? '');
    if (!projector) throw new Error(`there is no projection ${projection ?? ''}`);
    const dims = [imageTokens(this.spec), featureSize(this.spec)];
    const results = await projector.run({ [featuresInput]: new Tensor('float32', features, dims) });
    return results[rowsOutput]?.data as Float32Array;
  }

  async release(): Promise<void> {
    await this.#tower.release();
    for (const projector of this.#projectors.values()) await projector.release();
  }
}

/** [3, size, size] → [patches, 3 · patch · patch], patches row by row, each in the order of a convolution's kernel. */
export function cutPatches(pixels: Float32Array, size: number, patch: number): Float32Array {
  const side = Math.floor(size / patch);
  const patches = new Float32Array(side * side * 3 * patch * patch);
  let at = 0;
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++)
      for (let channel = 0; channel < 3; channel++)
        for (let y = 0; y < patch; y++) {
          const from = (channel * size + row * patch + y) * size + column * patch;
          patches.set(pixels.subarray(from, from + patch), at);
          at += patch;
        }
  return patches;
}
