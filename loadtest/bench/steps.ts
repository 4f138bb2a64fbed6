// Decoder steps alone, without engine: cost by weight format and rows, and by capacity of the cache at a fixed number of live tokens.
import path from 'node:path';
import { DecoderModel, type DecoderBatch } from '../../kernels/decoder/model.js';
import { ensureArtifact } from '../../server/models/artifacts.js';
import { checkpointOf } from './in-process.js';
import type { ShapeName } from './checkpoint.js';
import { informs, interleave, median, type Row } from './rows.js';
import { benchCache, type Weights } from './server.js';

const ROUNDS = 9;
const STEPS = 8;

async function loadDecoder(shape: ShapeName, weights: Weights): Promise<DecoderModel> {
  const checkpoint = await checkpointOf(shape);
  const artifact = await ensureArtifact({
    path: checkpoint,
    weights,
    artifactDirectory: path.join(benchCache, 'artifacts'),
  });
  return DecoderModel.load(artifact.directory, { threads: 2 });
}

/** One new token in each row; every row holds `live` tokens in `capacity` slots. */
function decodeBatch({ spec }: DecoderModel, rows: number, live: number, capacity: number): DecoderBatch {
  const cache = () =>
    spec.layers.map(({ kvHeads, headDim }) => new Float32Array(rows * kvHeads * capacity * headDim).fill(0.01));
  return {
    rows,
    width: 1,
    ids: Int32Array.from({ length: rows }, (_, row) => 300 + row),
    positions: new Int32Array(rows).fill(live),
    segments: Array.from({ length: rows }, () => [{ count: 1, past: live, slots: null }]),
    pastCapacity: capacity,
    pastKeys: cache(),
    pastValues: cache(),
    logitSlots: Int32Array.from({ length: rows }, (_, row) => row),
    longRope: null,
  };
}

async function steps(model: DecoderModel, batch: DecoderBatch): Promise<void> {
  for (let step = 0; step < STEPS; step++) await model.forward(batch);
}

/** Raw decode rate in the 135M shape: what engine and HTTP can at most give. */
export async function benchFormats(): Promise<Row[]> {
  const rows: Row[] = [];
  const formats = ['q4', 'q8', 'w8a8'] as const;
  const models = await Promise.all(formats.map((weights) => loadDecoder('smol135', weights)));
  for (const count of [1, 4, 16]) {
    const times = await interleave(
      Object.fromEntries(
        formats.flatMap((weights, i) => {
          const model = models[i];
          if (model === undefined) return [];
          const batch = decodeBatch(model, count, 96, 128);
          return [[weights, () => steps(model, batch)]];
        }),
      ),
      ROUNDS,
    );
    for (const weights of formats)
      rows.push(
        informs(
          `raw steps, smol135 ${weights}, ${count} rows`,
          (count * STEPS * 1000) / median(times[weights] ?? []),
          'tokens/s',
        ),
      );
  }
  for (const model of models) await model.release();
  return rows;
}

/** What a needlessly large cache would cost, and what live tokens cost: the reason why capacity follows the longest live row. */
export async function benchCacheSlots(): Promise<Row[]> {
  const model = await loadDecoder('smol135', 'w8a8');
  const cases = [
    { live: 100, capacity: 128 },
    { live: 100, capacity: 512 },
    { live: 100, capacity: 2048 },
  ];
  const times = await interleave(
    Object.fromEntries(
      cases.map(({ live, capacity }) => {
        const batch = decodeBatch(model, 8, live, capacity);
        return [String(capacity), () => steps(model, batch)];
      }),
    ),
    ROUNDS,
  );
  await model.release();
  return cases.map(({ live, capacity }) =>
    informs(
      `raw step, 8 rows of ${live} tokens in ${capacity} slots`,
      median(times[String(capacity)] ?? []) / STEPS,
      'ms',
      'smol135 w8a8',
    ),
  );
}
