// What the engine adds to the forwards it runs, and how a step's cost follows live tokens. In process, on random small models.
import type { EngineClient } from '../../server/engine/client.js';
import type { EngineStats } from '../../server/engine/messages.js';
import { plain, runStreams, startEngine, stepMs, workOf } from './in-process.js';
import { atMost, informs, median, type Row } from './rows.js';

const ROUNDS = 5;

/** Time per tick that is neither a model's forward nor the choice of tokens. */
export async function benchTick(): Promise<Row[]> {
  const engine = await startEngine({ tiny: { shape: 'tiny', weights: 'f32' } });
  try {
    const rows: Row[] = [];
    for (const streams of [1, 16, 64]) {
      const work = workOf('tiny', plain('tiny'), 16, 128);
      await runStreams(engine, { ...work, maxTokens: 8 }, streams);
      const overheads: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const before = await settledStats(engine);
        const start = performance.now();
        await runStreams(engine, work, streams);
        const wallMs = performance.now() - start;
        const after = await settledStats(engine);
        overheads.push((wallMs - (insideMs(after) - insideMs(before))) / (after.ticks - before.ticks));
      }
      rows.push(
        informs(`without model, ${streams} rows`, median(overheads), 'ms', 'wall time − forwards − fusing, per tick'),
      );
    }
    return rows;
  } finally {
    await engine.stop();
  }
}

const insideMs = (stats: EngineStats): number =>
  1000 * (stats.fuseSeconds + Object.values(stats.forwards).reduce((sum, { seconds }) => sum + seconds, 0));

/** The engine posts its figures when it goes idle, which is a moment after the last event. */
async function settledStats(engine: EngineClient): Promise<EngineStats> {
  for (let last = engine.stats(); ;) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const now = engine.stats();
    if (now.running === 0 && now.ticks === last.ticks) return now;
    last = now;
  }
}

const SHORT_TOKENS = 100;
const DECODED = 24;
const STREAMS = 8;

/**
 * Steps of eight short rows while nothing else is there, and again right after a row of nearly 2048 tokens was beside them and made the
 * cache grow: the capacity that it leaves behind must cost nothing.
 */
export async function benchCapacity(): Promise<Row[]> {
  const engine = await startEngine({ pocket: { shape: 'pocket', weights: 'f32' } });
  const work = (promptTokens: number) => workOf('pocket', plain('pocket'), promptTokens, DECODED);
  try {
    const fresh: number[] = [];
    const grown: number[] = [];
    const live: Record<number, number[]> = {};
    for (let round = 0; round <= ROUNDS; round++) {
      const before = stepMs(await runStreams(engine, work(SHORT_TOKENS), STREAMS));
      const [, after] = await Promise.all([
        runStreams(engine, { ...work(2000), maxTokens: 1 }, 1),
        runStreams(engine, work(SHORT_TOKENS), STREAMS).then(() =>
          runStreams(engine, work(SHORT_TOKENS), STREAMS).then(stepMs),
        ),
      ]);
      if (round > 0) {
        fresh.push(before);
        grown.push(after);
      }
      for (const tokens of [SHORT_TOKENS, 500, 2000]) {
        const ms = stepMs(await runStreams(engine, work(tokens), STREAMS));
        if (round > 0) (live[tokens] ??= []).push(ms);
      }
    }
    const ratio = median(grown.map((ms, i) => ms / (fresh[i] ?? NaN)));
    return [
      atMost('step after a 2048-token row ÷ before it', ratio, '×', 1.15, `${STREAMS} rows of ${SHORT_TOKENS} tokens`),
      ...Object.entries(live).map(([tokens, ms]) =>
        informs(`step, ${STREAMS} rows of ${tokens} live tokens`, median(ms), 'ms', 'pocket shape, f32'),
      ),
    ];
  } finally {
    await engine.stop();
  }
}
