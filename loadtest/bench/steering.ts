// The price of steering: a three-view EFT step against the sum of its three models' own steps, all through the engine.
import { linear, type Scores } from '../../decoders/expr.js';
import { plain, runStreams, startEngine, stepMs, workOf } from './in-process.js';
import { atMost, median, type Row } from './rows.js';

const ROUNDS = 5;
const LIMIT = 1.1;

export async function benchEft(): Promise<Row[]> {
  const engine = await startEngine({
    large: { shape: 'smol135', weights: 'q8' },
    tuned: { shape: 'small49k', weights: 'q8', seed: 1 },
    reference: { shape: 'small49k', weights: 'q8', seed: 2 },
  });
  // base + (tuned − reference)
  const eft = linear([
    [1, plain('large')],
    [
      1,
      linear([
        [1, plain('tuned')],
        [-1, plain('reference')],
      ]),
    ],
  ]);
  const members = ['large', 'tuned', 'reference'].map(plain);
  try {
    const rows: Row[] = [];
    for (const streams of [1, 8]) {
      const ratios: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        const measure = async (distribution: Scores) =>
          stepMs(await runStreams(engine, workOf('smol135', distribution, 32, 48), streams));
        let apart = 0;
        for (const member of members) apart += await measure(member);
        const together = await measure(eft);
        if (round > 0) ratios.push(together / apart);
      }
      rows.push(
        atMost(
          `three-view EFT step ÷ sum of its models' steps, ${streams} rows`,
          median(ratios),
          '×',
          LIMIT,
          `smol135 + 2 × a 14M shape with the same vocabulary, q8; ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
        ),
      );
    }
    return rows;
  } finally {
    await engine.stop();
  }
}
