// Checkpoint → graph → files, and the version of the code that does it. Behind an interface so that the artifact cache can be tested
// without converting anything. Called by artifacts.ts.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WeightFormat } from '../../kernels/decoder/format.js';
import { writeDecoder } from '../../kernels/decoder/model.js';
import type { Device } from '../../kernels/session.js';
import type { TensorSource } from '../../kernels/decoder/weights.js';
import { writeVision } from '../../kernels/vision/model.js';
import type { VisionSpec } from '../../kernels/vision/spec.js';
import { refusingUnsupported, type Checkpoint } from './checkpoint.js';
import { SafetensorsSource } from './safetensors.js';

export interface Converter {
  /** Changes whenever the same checkpoint may give other bytes. */
  readonly version: string;
  /** Writes into an empty folder. */
  convert(
    checkpoint: Checkpoint,
    source: TensorSource,
    format: WeightFormat,
    directory: string,
    onProgress: (fraction: number) => void,
  ): void;
}

const converterFor = (device: Device, suffix: string): Converter => ({
  get version() {
    return kernelsDigest() + suffix;
  },
  convert({ directory: home, spec, projections }, source, format, directory, onProgress) {
    refusingUnsupported(join(home, 'config.json'), () => {
      if (spec.vision) convertVision(spec.vision, spec.hiddenSize);
      writeDecoder(spec, source, format, directory, onProgress, device);
    });

    function convertVision(vision: VisionSpec, hiddenSize: number): void {
      const opened = new Map([...projections].map(([name, file]) => [name, SafetensorsSource.openFile(file)]));
      try {
        writeVision(vision, hiddenSize, source, opened, format, directory);
      } finally {
        for (const projection of opened.values()) projection.close();
      }
    }
  },
});

export const decoderConverter = converterFor('cpu', '');
export const deviceConverter = converterFor('webgpu', ' webgpu');

let digest: string | null = null;

/** The code that builds graphs is its own version: nobody can forget to raise a number. Sampler and formula kernels do not count. */
function kernelsDigest(): string {
  if (digest !== null) return digest;
  const home = fileURLToPath(new URL('../../kernels/', import.meta.url));
  const files = readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[jt]s$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(join(home, 'logits')))
    .sort();
  const hash = createHash('sha256');
  for (const file of files) hash.update(file.slice(home.length)).update('\0').update(readFileSync(file)).update('\0');
  digest = hash.digest('hex');
  return digest;
}
