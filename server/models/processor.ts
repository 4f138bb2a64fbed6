// What the processor says of itself, where it matters to how weights are stored.
import { readFileSync } from 'node:fs';
import { arch } from 'node:os';

/** Null: this system does not say. */
export function cpuFlags(): ReadonlySet<string> | null {
  try {
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
    return line === undefined ? null : new Set(line.split(/\s+/));
  } catch {
    return null;
  }
}

/**
 * x64 without VNNI has no instruction that adds products of bytes in 32 bits. The runtime takes one that adds two of them in 16, and what does not
 * fit is cut off: 255·127 + 255·127 is twice as much as fits. A system that does not say is taken to be such a one: the other way is exact everywhere.
 */
export function cutsProductsOff(flags = cpuFlags(), architecture: string = arch()): boolean {
  return architecture === 'x64' && !['avx_vnni', 'avx512_vnni'].some((flag) => flags?.has(flag));
}
