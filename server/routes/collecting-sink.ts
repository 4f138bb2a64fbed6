// The events of a request → the choices of one whole answer. Knows no dialect.
import type { RequestObserver } from '../plugins/metrics.js';
import type { Choice } from '../wire/reply.js';
import { joinTraces, storyOf } from '../wire/trace.js';
import { choiceOf, reportedStop, Traces, type Job, type Progress, type Sink } from './sinks.js';
import { Totals } from './totals.js';

export class CollectingSink implements Sink {
  readonly choices: Choice[] = [];
  readonly totals: Totals;
  readonly #job: Job;
  readonly #observer: RequestObserver;
  readonly #traces: Traces;

  constructor(job: Job, observer: RequestObserver) {
    this.#job = job;
    this.#observer = observer;
    this.totals = new Totals(job);
    this.#traces = new Traces(job);
    job.requests.forEach((request, prompt) => {
      for (let choice = 0; choice < request.n; choice++) {
        const index = choiceOf(request, prompt, choice);
        this.choices.push({
          index,
          text: '',
          promptTokens: [],
          ids: [],
          tokens: [],
          trace: null,
          reason: null,
          stopReason: null,
        });
      }
    });
  }

  event(prompt: number, event: Progress): void {
    const request = this.#job.requests[prompt]!;
    switch (event.kind) {
      case 'prompt':
        for (let choice = 0; choice < request.n; choice++) {
          this.choices[choiceOf(request, prompt, choice)]!.promptTokens.push(...event.tokens);
        }
        return;
      case 'delta': {
        const choice = this.choices[choiceOf(request, prompt, event.choice)]!;
        choice.text += event.text;
        choice.ids.push(...event.ids);
        choice.tokens.push(...event.tokens);
        const trace = this.#traces.write(request, event);
        if (trace) choice.trace = choice.trace ? joinTraces(choice.trace, trace) : trace;
        this.#observer.output(choice.index, event.ids.length);
        return;
      }
      case 'search': {
        const choice = this.choices[choiceOf(request, prompt, event.choice)]!;
        const story = storyOf(event.entries, event.cut ?? false);
        choice.trace = choice.trace ? joinTraces(choice.trace, story) : story;
        return;
      }
      case 'finished': {
        const choice = this.choices[choiceOf(request, prompt, event.choice)]!;
        choice.reason = event.reason;
        choice.stopReason = reportedStop(this.#job.strategy, request, event.stopReason);
        this.#observer.finished(event.reason);
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

  ready(): null {
    return null;
  }
}
