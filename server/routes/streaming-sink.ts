// The events of a request → the chunks of a stream, as they come. Knows the dialect only through ReplyFormat.
import type { ErrorData } from '../errors.js';
import type { RequestObserver } from '../plugins/metrics.js';
import type { DecodingReport } from '../wire/reply.js';
import { storyOf } from '../wire/trace.js';
import { choiceOf, reportedStop, Traces, type Job, type Outlet, type Progress, type Sink } from './sinks.js';
import { Totals } from './totals.js';

export class StreamingSink implements Sink {
  readonly totals: Totals;
  readonly #job: Job;
  readonly #observer: RequestObserver;
  readonly #traces: Traces;
  readonly #outlet: Outlet;
  #running: number;
  /** The last closing chunk waits for the report of what was applied. */
  #lastClose: ((decoding: DecodingReport) => string) | null = null;

  constructor(job: Job, observer: RequestObserver, outlet: Outlet) {
    this.#job = job;
    this.#observer = observer;
    this.#outlet = outlet;
    this.totals = new Totals(job);
    this.#traces = new Traces(job);
    this.#running = job.requests.reduce((sum, request) => sum + request.n, 0);
  }

  open(): void {
    if (this.#outlet.opened) return;
    this.#outlet.open();
    const choices = this.#job.requests.reduce((sum, request) => sum + request.n, 0);
    for (let choice = 0; choice < choices; choice++) this.#outlet.write(this.#job.format.open(choice));
  }

  event(prompt: number, event: Progress): void {
    this.open();
    const { format, strategy } = this.#job;
    const request = this.#job.requests[prompt]!;
    switch (event.kind) {
      case 'prompt':
        for (let choice = 0; choice < request.n; choice++) {
          this.#outlet.write(format.prompt(choiceOf(request, prompt, choice), event.tokens));
        }
        return;
      case 'delta': {
        const index = choiceOf(request, prompt, event.choice);
        const { text, ids, tokens } = event;
        this.#outlet.write(
          format.delta({ choice: index, text, ids, tokens, trace: this.#traces.write(request, event) }),
        );
        this.#observer.output(index, event.ids.length);
        return;
      }
      case 'search': {
        const trace = storyOf(event.entries, event.cut ?? false);
        const choice = choiceOf(request, prompt, event.choice);
        this.#outlet.write(format.delta({ choice, text: '', ids: [], tokens: [], trace }));
        return;
      }
      case 'finished': {
        const index = choiceOf(request, prompt, event.choice);
        const stop = reportedStop(strategy, request, event.stopReason);
        this.#observer.finished(event.reason);
        this.#running--;
        if (this.#running > 0) this.#outlet.write(format.close(index, event.reason, stop, null));
        else this.#lastClose = (decoding) => format.close(index, event.reason, stop, decoding);
        return;
      }
      case 'done':
        this.totals.add(prompt, event.usage, event.applied);
        this.#observer.timed(event.timings, event.usage);
        return;
      case 'commit':
      case 'rewind':
      case 'paused':
      case 'changed':
        // Nobody asks for them over HTTP.
        return;
      default:
        event satisfies never;
    }
  }

  ready(): Promise<void> | null {
    return this.#outlet.drained();
  }

  finish(): void {
    const decoding = this.totals.decoding();
    if (this.#lastClose !== null) this.#outlet.write(this.#lastClose(decoding));
    if (this.#job.includeUsage) this.#outlet.write(this.#job.format.usage(this.totals.usage(), decoding));
    this.#outlet.write(this.#job.format.end());
    this.#outlet.end();
  }

  fail(error: ErrorData): void {
    this.#outlet.write(this.#job.format.failure(error));
    this.#outlet.end();
  }
}
