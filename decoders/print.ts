// Expr → the formula that a paper would print, e.g. `large + 1·(small-chat − small)`. For `explain`, logs and test
// failures; never parsed.
import { DEFAULT_PROMPT, fold } from './expr.js';
import type { Expr, Fused, View } from './expr.js';
import { describePrompt, promptOf } from './prompt.js';

interface Printed {
  readonly text: string;
  /** A sum needs brackets when something multiplies it. */
  readonly isSum: boolean;
}

export function print(expr: Expr): string {
  return fold<Printed>(expr, (node, members) => {
    const texts = members.map((member) => member.text);
    switch (node.kind) {
      case 'logits':
        return atom(printView(node.view));
      case 'linear':
        return sum(node.terms.map((term, index) => [term.weight, members[index] ?? atom('')]));
      case 'maximum':
        return atom(`max(${texts.join(', ')})`);
      case 'minimum':
        return atom(`min(${texts.join(', ')})`);
      case 'where':
        return atom(`where(${texts.join(', ')})`);
      case 'masked':
        return atom(`masked(${texts.join(', ')})`);
      case 'fused':
        return atom(printFused(node, texts));
      case 'logSoftmax':
        return atom(`log softmax(${texts.join('')})`);
      case 'plausible':
        return atom(`plausible(${texts.join('')}, ${node.ratio})`);
      case 'nucleus':
        return atom(`nucleus(${texts.join('')}, ${node.mass})`);
      default:
        return node satisfies never;
    }
  }).text;
}

/** The weights of a fusion are solved per token: they have names, not values. */
function printFused({ bounds, search }: Fused, [base = '', reference = '', ...experts]: readonly string[]): string {
  const terms = experts.map((expert, index) => ` + a${index + 1}·(${expert} − ${reference})`);
  const names = bounds.map((bound, index) => `a${index + 1} ≤ ${bound}`);
  return `fused(${base}${terms.join('')}; ${names.join(', ')}; ${search})`;
}

export function printView(view: View): string {
  return view.prompt === DEFAULT_PROMPT ? view.model : `${view.model}[${describePrompt(promptOf(view.prompt))}]`;
}

function atom(text: string): Printed {
  return { text, isSum: false };
}

function sum(terms: readonly (readonly [weight: number, member: Printed])[]): Printed {
  const text = terms
    .map(([weight, member], index) => {
      const negative = weight < 0 || Object.is(weight, -0);
      const sign = index === 0 ? (negative ? '−' : '') : negative ? ' − ' : ' + ';
      // Six digits are enough to read; the spec has them all.
      const magnitude = Number(Math.abs(weight).toPrecision(6));
      if (member.isSum && index === 0 && weight === 1) return member.text;
      if (member.isSum) return `${sign}${magnitude}·(${member.text})`;
      return magnitude === 1 ? `${sign}${member.text}` : `${sign}${magnitude}·${member.text}`;
    })
    .join('');
  return { text, isSum: true };
}
