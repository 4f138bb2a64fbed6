// The states that the HTTP layer sees around loading and draining, with a stand-in for the engine's client.
import { expect, it } from 'vitest';
import type { EngineClient } from '../../server/engine/client.js';
import { EngineSlot } from '../../server/engine-slot.js';
import type { DecodeRequest } from '../../server/wire/decode.js';

const request = {} as DecodeRequest;

function client(): EngineClient & { drained: boolean } {
  const self = {
    drained: false,
    get state() {
      return self.drained ? 'draining' : 'ready';
    },
    drain() {
      self.drained = true;
    },
    info: [{ name: 'm' }],
    inFlight: 3,
    stats: () => ({ running: 3 }),
    submit: () => 'events',
    stop: async () => undefined,
  };
  return self as unknown as EngineClient & { drained: boolean };
}

it('is alive, empty and not ready until it is filled', () => {
  const slot = new EngineSlot();
  expect([slot.state, slot.info, slot.inFlight, slot.stats().running]).toEqual(['starting', [], 0, 0]);
  expect(() => slot.submit(request, new AbortController().signal)).toThrow(/still being loaded/);
  slot.fill(client());
  expect([slot.state, slot.info, slot.inFlight, slot.stats().running]).toEqual(['ready', [{ name: 'm' }], 3, 3]);
  expect(slot.submit(request, new AbortController().signal)).toBe('events');
});

it('drains what it holds, now or when it arrives', async () => {
  const held = client();
  const slot = new EngineSlot();
  slot.fill(held);
  slot.drain();
  expect([slot.state, held.drained]).toEqual(['draining', true]);

  const late = client();
  const empty = new EngineSlot();
  empty.drain();
  expect(empty.state).toBe('draining');
  empty.fill(late);
  expect(late.drained).toBe(true);
  await empty.stop();
});

it('tells that loading failed', async () => {
  const slot = new EngineSlot();
  slot.fail();
  expect(slot.state).toBe('failed');
  await slot.stop();
});
