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
