// Progress of long work (conversion, loading) on stderr: one bar that is redrawn on a terminal, plain lines in a log. Quick stages
// stay silent in a log, so that a start from converted models prints nothing. Called by the commands.
import { styleFor, type Output } from './terminal.js';

const BAR_WIDTH = 24;
const REDRAW_MS = 80;
/** In a log: nothing before this, then at most one line per interval. */
const LINE_EVERY_MS = 2000;

export class Progress {
  readonly #output: Output;
  readonly #now: () => number;
  #label = '';
  #since = 0;
  #lastWrite = -Infinity;
  #lineIsOpen = false;

  constructor(output: Output, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  /** `fraction` from 0 to 1 of the stage named by `label`. */
  report(label: string, fraction: number): void {
    const now = this.#now();
    const isNewStage = label !== this.#label;
    if (isNewStage) {
      this.#label = label;
      this.#since = now;
    }
    const part = Math.min(1, Math.max(0, fraction));
    if (this.#output.isTTY === true) this.#redraw(label, part, now, isNewStage);
    else this.#line(label, part, now);
  }

  /** Ends the bar's line, so that other output starts on its own. */
  clear(): void {
    if (this.#lineIsOpen) this.#output.write('\r\u001b[K');
    this.#lineIsOpen = false;
  }

  #redraw(label: string, part: number, now: number, isNewStage: boolean): void {
    if (!isNewStage && part < 1 && now - this.#lastWrite < REDRAW_MS) return;
    this.#lastWrite = now;
    const full = Math.round(part * BAR_WIDTH);
    const style = styleFor(this.#output);
    const bar = style.cyan('█'.repeat(full)) + style.dim('░'.repeat(BAR_WIDTH - full));
    const room = Math.max(10, (this.#output.columns || 80) - BAR_WIDTH - 8);
    this.#output.write(`\r\u001b[K${bar} ${String(Math.round(part * 100)).padStart(3)}% ${label.slice(0, room)}`);
    this.#lineIsOpen = true;
  }

  #line(label: string, part: number, now: number): void {
    const started = Math.max(this.#since, this.#lastWrite);
    if (now - started < LINE_EVERY_MS) return;
    this.#lastWrite = now;
    this.#output.write(`${label}: ${Math.round(part * 100)} %\n`);
  }
}
