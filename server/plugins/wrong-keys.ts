// Wrong keys, counted per address and minute. An address that has shown too many gets no verdict on further ones until its minute is over, so
// that guessing is slow however it is done. Keys that were right from there before stay right: others may share the address, behind a proxy
// all do. Costs one look-up. Knows no key but by name.
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

const windowMs = 60_000;
/** Whoever has more addresses pushes out the oldest. */
const mostAddresses = 4096;
const mostNames = 64;

interface Seen {
  failures: number;
  startMs: number;
  /** Names of keys that were right. */
  readonly right: Set<string>;
}

export class WrongKeys {
  readonly #seen = new LRUCache<string, Seen>({ max: mostAddresses });
  readonly #nowMs: () => number;

  constructor(nowMs = (): number => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Milliseconds until this address is answered again; null where it is answered now. `name` is that of the key, if it is one. */
  blockedMs(address: string, name: string | null, limit: number): number | null {
    const seen = this.#seen.get(site(address));
    if (!seen || seen.failures < limit || (name !== null && seen.right.has(name))) return null;
    const leftMs = windowMs - (this.#nowMs() - seen.startMs);
    return leftMs > 0 ? leftMs : null;
  }

  wrong(address: string): void {
    const nowMs = this.#nowMs();
    const seen = this.#of(address);
    if (nowMs - seen.startMs >= windowMs) {
      seen.failures = 0;
      seen.startMs = nowMs;
    }
    seen.failures++;
  }

  right(address: string, name: string): void {
    const { right } = this.#of(address);
    if (right.size < mostNames) right.add(name);
  }

  #of(address: string): Seen {
    const key = site(address);
    let seen = this.#seen.get(key);
    if (!seen) {
      seen = { failures: 0, startMs: this.#nowMs(), right: new Set() };
      this.#seen.set(key, seen);
    }
    return seen;
  }
}

/** Of IPv6 the first 64 bits, which are one place's. */
function site(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString();
}
