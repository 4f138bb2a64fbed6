// How far a token was steered, as a colour of the terminal: from none (as the first model alone would have said it) to red. The steps are
// legible on dark and on light backgrounds. Knows nothing of streams.
import type { Style } from './terminal.js';

/** From the KL divergence in nats upwards; `code` is one of the 256 colours. */
const steps: readonly { readonly fromNats: number; readonly code: number }[] = [
  { fromNats: 0.05, code: 67 },
  { fromNats: 0.2, code: 30 },
  { fromNats: 0.5, code: 136 },
  { fromNats: 1, code: 166 },
  { fromNats: 2, code: 160 },
];

export function paintSteered(text: string, nats: number, style: Style): string {
  const step = steps.findLast(({ fromNats }) => nats >= fromNats);
  return step === undefined ? text : style.color(step.code, text);
}

/** One line; empty where there is no colour. */
export function legend(style: Style): string {
  const shown = steps.map(({ fromNats, code }) => style.color(code, `■ ${fromNats}`)).join('  ');
  return style.dim('steered by at least (nats):') + `  ${shown}`;
}
