// Gives large arrays back as soon as nobody reads them any more, instead of when the collector finds out. A forward's outputs are new arrays
// every time; left lying, some tens of megabytes of them make the collector mark the whole heap, on threads of its own that take the cores from
// the runtime in the middle of a forward. Called by whoever owns the arrays.
import { MessageChannel } from 'node:worker_threads';

/** What is transferred to a closed port is gone. (`ArrayBuffer.prototype.transfer` is newer than the oldest Node that we run on.) */
const nowhere = new MessageChannel().port1;
nowhere.close();

/** They are empty afterwards, and so is every other view of the same memory. */
export function free(arrays: readonly ArrayBufferView[]): void {
  const buffers = new Set(arrays.map(({ buffer }) => buffer as ArrayBuffer));
  nowhere.postMessage(null, [...buffers]);
}

/**
 * What is freed from now on stays with the process for the next step. glibc gives what lies above a threshold back to the kernel, and then
 * each page of the next step's outputs faults anew, 15 µs a page on a virtual machine; the threshold follows the largest array that was
 * freed, up to 32 MB, unless MALLOC_MMAP_THRESHOLD_ fixes it. It also gives back each 64 MB of a thread's memory whole once nothing in
 * them is in use: something small that stays in each half of them prevents that. Untouched, none of this takes memory.
 */
export function keepFreed(): void {
  free([Buffer.allocUnsafeSlow(LARGEST_COUNTED)]);
  const halves = Array.from({ length: HALVES }, () => {
    const half = Buffer.allocUnsafeSlow(HALF_BYTES);
    pins.push(Buffer.allocUnsafeSlow(PIN_BYTES));
    return half;
  });
  free(halves);
}

/** A little below 32 MB: the allocator's own header counts too. */
const LARGEST_COUNTED = 2 ** 25 - 2 ** 13;
/** 480 MB in all: more than a step's outputs. */
const HALVES = 16;
const HALF_BYTES = 30 * 2 ** 20;
/** Too large to be put into a gap that was there before. */
const PIN_BYTES = 2 ** 18;
const pins: Uint8Array[] = [];
