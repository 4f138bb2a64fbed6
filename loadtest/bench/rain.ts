// rain on the pocket's harm set against plain answers of the same model, one request after the other and eight at once: whole answers,
// both sampled at temperature 1. Each round asks what was not asked before, because a text that was judged once costs nothing again.
import path from 'node:path';
import { askAt } from '../scoreboard/ask.js';
import { base, searching, TIME_RATIO, TIME_RATIO_TOGETHER } from '../scoreboard/rows/rain.js';
import { loadTown } from '../scoreboard/town.js';
import { atMost, median, type Row } from './rows.js';
import { packageRoot, serveFile } from './server.js';

const ROUNDS = 3;
const REQUESTS = 16;
const LOADS = [
  { together: 1, limit: TIME_RATIO },
  { together: 8, limit: TIME_RATIO_TOGETHER },
] as const;

export async function benchRain(): Promise<Row[]> {
  const server = await serveFile(path.join(packageRoot, 'trimtab.config.json'));
  const town = loadTown();
  const requests = [...town.requests('plain', REQUESTS * (ROUNDS + 1) * LOADS.length, 1)];
  const rows: Row[] = [];
  try {
    for (const { together, limit } of LOADS) {
      const ask = askAt(server.url, together, () => undefined);
      const sides = { rain: searching, plain: { model: base, temperature: searching.temperature ?? 1 } };
      const takes: Record<keyof typeof sides, number[]> = { rain: [], plain: [] };
      for (let round = 0; round <= ROUNDS; round++) {
        const chosen = requests.splice(0, REQUESTS);
        for (const side of ['plain', 'rain'] as const) {
          const started = performance.now();
          await ask.all(chosen, { ...sides[side], seed: round });
          if (round > 0) takes[side].push(performance.now() - started);
        }
      }
      const ratios = takes.rain.map((ms, round) => ms / (takes.plain[round] ?? NaN));
      const list = (all: readonly number[]): string => all.map((ms) => ms.toFixed(0)).join(', ');
      rows.push(
        atMost(
          `time of the answers ÷ plain, ${together} at once`,
          median(ratios),
          '×',
          limit,
          `${REQUESTS} requests for what is forbidden: ${list(takes.rain)} against ${list(takes.plain)} ms`,
        ),
      );
    }
  } finally {
    await server.stop();
  }
  return rows;
}
