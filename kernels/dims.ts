// Symbolic dimensions: a number, or a canonical text such as "S", "3*S" or "(M+S)". Two dimensions are equal exactly when they
// are ===, so all arithmetic goes through here. Knows nothing about graphs; used by graph.ts and the operators.

export type Dim = number | string;
export type Shape = readonly Dim[];

/** Splits at `separator` outside parentheses. */
function split(text: string, separator: '*' | '+'): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '(') depth++;
    else if (character === ')') depth--;
    else if (character === separator && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

interface Product {
  readonly factor: number;
  /** Sorted; with repetitions. */
  readonly symbols: readonly string[];
}

function factors(dims: Shape): Product {
  let factor = 1;
  const symbols: string[] = [];
  for (const dim of dims) {
    if (typeof dim === 'number') factor *= dim;
    else
      for (const part of split(dim, '*')) {
        if (/^\d+$/.test(part)) factor *= Number(part);
        else symbols.push(part);
      }
  }
  return { factor, symbols: symbols.sort() };
}

function fromFactors({ factor, symbols }: Product): Dim {
  if (factor === 0) return 0;
  if (symbols.length === 0) return factor;
  return factor === 1 ? symbols.join('*') : [String(factor), ...symbols].join('*');
}

/** The product of all dimensions: the number of elements of a shape. */
export function multiplyDims(dims: Shape): Dim {
  return fromFactors(factors(dims));
}

/** total / by, or null when the quotient is not a whole dimension. */
export function divideDims(total: Shape, by: Shape): Dim | null {
  const numerator = factors(total);
  const denominator = factors(by);
  const symbols = [...numerator.symbols];
  for (const symbol of denominator.symbols) {
    const at = symbols.indexOf(symbol);
    if (at < 0) return null;
    symbols.splice(at, 1);
  }
  const factor = numerator.factor / denominator.factor;
  return Number.isInteger(factor) ? fromFactors({ factor, symbols }) : null;
}

/** The sum of dimensions (what Concat makes). */
export function addDims(dims: Shape): Dim {
  let constant = 0;
  const counts = new Map<string, number>();
  const add = (text: string): void => {
    if (/^\d+$/.test(text)) constant += Number(text);
    else {
      const { factor, symbols } = factors([text]);
      const symbol = symbols.join('*');
      counts.set(symbol, (counts.get(symbol) ?? 0) + factor);
    }
  };
  for (const dim of dims) {
    if (typeof dim === 'number') constant += dim;
    else if (dim.startsWith('(') && split(dim, '*').length === 1) split(dim.slice(1, -1), '+').forEach(add);
    else add(dim);
  }
  const terms = [...counts.keys()].sort().map((symbol) => {
    const count = counts.get(symbol) ?? 1;
    return count === 1 ? symbol : `${count}*${symbol}`;
  });
  const [term] = terms;
  if (term === undefined) return constant;
  if (terms.length === 1 && constant === 0) return term;
  return `(${[...terms, ...(constant === 0 ? [] : [String(constant)])].join('+')})`;
}

/** The broadcast of two shapes by ONNX's rules, or null. A symbol only meets itself or 1: what else it may be is unknown here. */
export function broadcastShapes(a: Shape, b: Shape): Shape | null {
  const rank = Math.max(a.length, b.length);
  const result: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left === right || right === 1) result.push(left);
    else if (left === 1) result.push(right);
    else return null;
  }
  return result;
}

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);

export const shapeText = (shape: Shape): string => `[${shape.join(', ')}]`;
