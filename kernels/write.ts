// Writes a graph as a model folder: model.onnx and, beside it, weights.bin with every weight at a 64-byte boundary. One weight is in
// memory at a time. Called by the artifact cache, which owns temporary folders, hashing and the atomic rename.
import { closeSync, fsyncSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { type Graph, GraphError } from './graph.js';
import { encodeModel } from './proto.js';

export const modelFile = 'model.onnx';
export const weightsFile = 'weights.bin';

/** Bytes per write call: the system takes no more than 2³¹ at once. */
const largestWrite = 2 ** 30;

/** `onWeight` hears how many of the bytes are written, from 0 to 1. */
export function writeGraph(graph: Graph, directory: string, onWeight: (fraction: number) => void = () => {}): void {
  const { bytes, placed, externalLength } = encodeModel(graph, weightsFile);
  const file = openSync(path.join(directory, weightsFile), 'w');
  try {
    const written = new Set<number>();
    for (const { weight, offset, length } of placed) {
      if (written.has(offset)) continue;
      written.add(offset);
      const data = weight.produce();
      if (data.byteLength !== length)
        throw new GraphError(`weight ${weight.name} must have ${length} bytes, its source gave ${data.byteLength}.`);
      for (let done = 0; done < length;)
        done += writeSync(file, data, done, Math.min(length - done, largestWrite), offset + done);
      onWeight(externalLength === 0 ? 1 : (offset + length) / externalLength);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  writeFileSync(path.join(directory, modelFile), bytes, { flush: true });
}
