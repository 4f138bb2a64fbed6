// Writes one answer to the terminal as its events come: the text, each token in the colour of how far it was steered, and a closing line.
// Knows of the chat nothing but this answer.
import type { DecodingReport, StreamEvent, TokenTrace, Usage } from '../../clients/typescript/src/index.js';
import { paintSteered } from './steering-colors.js';
import type { Output, Style } from './terminal.js';

export class AnswerPrinter {
  readonly #out: Output;
  readonly #style: Style;
  readonly #startMs = performance.now();
  /** Traces whose text has not come: it may be a part of a character, or of a stop string. */
  #untold: TokenTrace[] = [];
  #firstMs: number | null = null;
  #text = '';
  #finish: string | null = null;
  #report: DecodingReport | null = null;
  #usage: Usage | null = null;
  readonly traces: TokenTrace[] = [];

  constructor(out: Output, style: Style) {
    this.#out = out;
    this.#style = style;
  }

  get text(): string {
    return this.#text;
  }

  get report(): DecodingReport | null {
    return this.#report;
  }

  take(event: StreamEvent): void {
    switch (event.type) {
      case 'trace':
        this.#untold.push(event.trace);
        this.traces.push(event.trace);
        return;
      case 'text':
        this.#firstMs ??= performance.now();
        this.#text += event.text;
        this.#out.write(this.#out.isTTY === true ? this.#painted(event.text) : event.text);
        this.#untold = [];
        return;
      case 'finished':
        this.#finish = event.finish_reason;
        return;
      case 'done':
        this.#report = event.decoding;
        this.#usage = event.usage;
        return;
      // The rest is not asked for, or not shown here.
      case 'started':
      case 'prompt':
      case 'token':
      case 'search':
      case 'trace_cut':
      case 'tool_call':
      case 'tool_arguments':
      case 'commit':
      case 'rewind':
      case 'paused':
      case 'updated':
        return;
      default:
        event satisfies never;
    }
  }

  /** What was done, in one dim line. */
  closing(): string {
    const report = this.#report;
    const usage = this.#usage;
    if (report === null || usage === null) return '';
    const tokens = usage.completion_tokens;
    const seconds = (performance.now() - (this.#firstMs ?? this.#startMs)) / 1000;
    const mean = this.traces.reduce((sum, { kl }) => sum + kl, 0) / Math.max(1, this.traces.length);
    const search = Object.entries(report.search ?? {}).flatMap(([name, value]) =>
      typeof value === 'number' ? [`${name} ${value}`] : [],
    );
    const parts = [
      report.formula ?? report.method,
      `${tokens} tokens${tokens > 1 && search.length === 0 ? `, ${((tokens - 1) / seconds).toFixed(0)}/s` : ''}`,
      ...(this.traces.length > 0 ? [`steered by ${mean.toFixed(2)} nats a token`] : []),
      ...(search.length > 0 ? [search.join(', ')] : []),
      ...(this.#finish === 'length' ? ['cut: the context or max_tokens is full'] : []),
      `seed ${report.seed}`,
    ];
    return this.#style.dim(parts.join(' · '));
  }

  /** A text goes to its tokens where their own texts make it up; otherwise it takes the colour of the last of them. */
  #painted(text: string): string {
    const last = this.#untold.at(-1);
    if (last === undefined) return harmless(text);
    const isWhole = this.#untold.map(({ token }) => token).join('') === text;
    return isWhole
      ? this.#untold.map(({ token, kl }) => paintSteered(harmless(token), kl, this.#style)).join('')
      : paintSteered(harmless(text), last.kl, this.#style);
  }
}

/** A model can write escape sequences, which a terminal would obey. */
const harmless = (text: string): string => text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\u{fffd}');

/** The tokens of an answer, one a line: how far each was steered, and its probability by each member alone. */
export function traceTable(traces: readonly TokenTrace[], style: Style): string {
  const width = Math.max(5, ...traces.map(({ token }) => JSON.stringify(token).length));
  return traces
    .map(({ token, kl, members, weights }) => {
      const shares = Object.entries(members).map(([name, logprob]) => `${name} ${percent(Math.exp(logprob))}`);
      const found = Object.entries(weights ?? {}).map(([name, weight]) => `weight of ${name} ${weight.toFixed(2)}`);
      const shown = paintSteered(JSON.stringify(token).padEnd(width), kl, style);
      return `${shown}  ${kl.toFixed(2).padStart(6)} nats  ${[...shares, ...found].join('  ')}`;
    })
    .join('\n');
}

const percent = (share: number): string => `${(100 * share).toFixed(share > 0.1 ? 0 : 1)} %`;
