// A search that is cancelled before any of its ticks leaves nothing behind, and who decodes beside it does not notice (T25).
import { expect } from 'vitest';
import type { RequestEvent } from '../../server/engine/engine.js';
import type { DecodeRequest } from '../../server/wire/decode.js';
import { drain, makeEngine, request } from './toy-engine.js';
import { toldOf } from './toy-search.js';

/** Throws unless the search takes more than `ticks` ticks. */
export async function expectAllFreed(search: (id: string) => DecodeRequest, ticks: number): Promise<void> {
  const other = request('other', { maxTokens: 12 });
  const undisturbed = makeEngine().engine;
  undisturbed.submit(other);
  const alone = toldOf((await drain(undisturbed)).get('other')!).ids;
  let whole = 0;
  {
    const { engine } = makeEngine();
    engine.submit(search('whole'));
    for (; !engine.idle; whole++) await engine.tick();
    engine.check();
  }
  expect(whole).toBeGreaterThan(ticks);
  const { engine, models } = makeEngine();
  for (let at = 0; at < whole; at++) {
    engine.submit(search(`cancelled ${at}`));
    engine.submit({ ...other, requestId: `other ${at}` });
    const log: RequestEvent[] = [];
    for (let tick = 0; tick < at; tick++) log.push(...(await engine.tick()));
    engine.cancel(`cancelled ${at}`);
    // Drained, the engine checks that no row is claimed.
    const events = await drain(engine, log);
    expect(toldOf(events.get(`other ${at}`)!).ids).toEqual(alone);
    for (const { cache } of models.values()) expect(cache.rowsInUse).toBe(0);
  }
}
