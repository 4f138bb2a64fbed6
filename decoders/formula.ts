// Expressions read from JSON: what a request gives to the method `formula`. Every node is checked, with its path; a leaf is whatever may
// stand where a model may. Operators that compare scales take log-probabilities: a log softmax is put around members that are not
// normalised. formula-json.ts is the way back. classifier.ts reads the terms that are no distributions.
import { coefficientSum, isInverted, SUM_REMEDY } from './coefficients.js';
import { ExprError, fused, linear, logSoftmax, masked, maximum, minimum, nucleus, plausible, where } from './expr.js';
import type { Expr, Logprobs, Mask, Scores } from './expr.js';
import { list, nearestName, readNumber, SpecError } from './fields.js';
import type { Field, Json, JsonObject, Member } from './fields.js';
import { MAX_EXPERTS } from './member-fields.js';

const MAX_NODES = 128;
const MAX_NESTING = 16;
const MAX_WEIGHT = 100;

/** Operator → the keys that it has. */
const scoreOperators: Readonly<Record<string, readonly string[]>> = {
  sum: ['terms'],
  union: ['of'],
  intersection: ['of'],
  log_softmax: ['of'],
  masked: ['of', 'mask'],
  where: ['mask', 'then', 'otherwise'],
  fused: ['base', 'reference', 'experts', 'search', 'bounds'],
};
const maskOperators: Readonly<Record<string, readonly string[]>> = {
  plausible: ['of', 'ratio'],
  nucleus: ['of', 'mass'],
};

/** What stands at a leaf. */
export type LeafReader = (value: unknown, path: string) => Member;

export const EXPRESSION = {
  type: 'expression',
  range: `{"op": …}, at most ${MAX_NODES} nodes, ${MAX_NESTING} deep`,
  fallback: undefined,
} as const;

/** A field that holds an expression. */
export function expression(help: string): Field<Member> {
  return {
    ...EXPRESSION,
    help,
    read: (value, path, context) =>
      readExpression(value, path, { leaf: (leaf, at) => context.member(leaf, at), check: refuseInverted }),
    show: ({ effective }) => effective,
  };
}

/** Reads a term of the root's sum that is no distribution. Returns it as the reply shows it. */
export type ClassifierReader = (node: JsonObject, path: string, weight: number) => Json;

export interface ExpressionReaders {
  readonly leaf: LeafReader;
  /** What an operator normalises: nothing but its order of the tokens is left of it. Throws SpecError where that makes no sense. */
  readonly check?: (of: Scores, path: string) => void;
  /** Left out where there can be none. */
  readonly classifier?: ClassifierReader;
}

export const CLASSIFIER = 'classifier';

/** Throws SpecError. */
export function readExpression(value: unknown, path: string, readers: ExpressionReaders): Member {
  return new FormulaReader(readers).scores(value, path, 0);
}

/** Throws SpecError for coefficients that prefer what should be avoided. */
export function refuseInverted(of: Scores, path: string): void {
  if (isInverted(of)) throw new SpecError(path, 'not allowed', coefficientSum(of), SUM_REMEDY);
}

interface Read<T extends Expr> {
  readonly node: T;
  readonly effective: Json;
}

interface ReadTerm {
  readonly weight: number;
  /** Null for a classifier. */
  readonly scores: Scores | null;
  readonly effective: Json;
}

class FormulaReader {
  readonly #readers: ExpressionReaders;
  #nodes = 0;

  constructor(readers: ExpressionReaders) {
    this.#readers = readers;
  }

  scores(value: unknown, path: string, depth: number): Member {
    if (!isOperator(value)) return this.#readers.leaf(value, path);
    const op = this.#operator(value, path, depth, scoreOperators, 'a distribution');
    return checked(path, value, () => this.#scoresOf(op, value, path, depth + 1));
  }

  #scoresOf(op: string, value: JsonObject, path: string, depth: number): Member {
    const at = (key: string): string => `${path}.${key}`;
    switch (op) {
      case 'sum': {
        const terms = array(value['terms'], at('terms')).map((term, index) =>
          this.#term(term, `${at('terms')}[${index}]`, depth),
        );
        const summed = terms.flatMap(({ weight, scores }): [number, Scores][] => (scores ? [[weight, scores]] : []));
        if (summed.length === 0)
          throw new SpecError(
            at('terms'),
            'not allowed',
            value['terms'],
            'Classifiers weigh tokens: add a distribution.',
          );
        const effective = { op, terms: terms.map(({ weight, effective: of }) => ({ weight, of })) };
        return { scores: linear(summed), effective };
      }
      case 'union':
      case 'intersection': {
        const of = this.#several(value['of'], at('of'), depth);
        const join = op === 'union' ? maximum : minimum;
        return { scores: join(of.map(({ node }) => node)), effective: { op, of: of.map((each) => each.effective) } };
      }
      case 'log_softmax': {
        const of = this.#normalised(value['of'], at('of'), depth);
        return { scores: logSoftmax(of.scores), effective: { op, of: of.effective } };
      }
      case 'masked': {
        const of = this.scores(value['of'], at('of'), depth);
        const mask = this.#mask(value['mask'], at('mask'), depth);
        return { scores: masked(of.scores, mask.node), effective: { op, of: of.effective, mask: mask.effective } };
      }
      case 'where': {
        const mask = this.#mask(value['mask'], at('mask'), depth);
        const then = this.scores(value['then'], at('then'), depth);
        const otherwise = this.scores(value['otherwise'], at('otherwise'), depth);
        return {
          scores: where(mask.node, then.scores, otherwise.scores),
          effective: { op, mask: mask.effective, then: then.effective, otherwise: otherwise.effective },
        };
      }
      default: {
        const base = this.#logprobs(value['base'], at('base'), depth);
        const reference = this.#logprobs(value['reference'], at('reference'), depth);
        const experts = this.#several(value['experts'], at('experts'), depth);
        if (experts.length > MAX_EXPERTS)
          throw new SpecError(at('experts'), 'too large', experts.length, `Give at most ${MAX_EXPERTS} experts.`);
        const search = value['search'];
        if (search !== 'single' && search !== 'joint')
          throw new SpecError(at('search'), 'out of range', search, 'Use "single" or "joint".');
        const bounds = array(value['bounds'], at('bounds')).map((bound, index) =>
          readNumber(bound, `${at('bounds')}[${index}]`, 0, MAX_WEIGHT),
        );
        const [b, r] = [base.node, reference.node];
        return {
          scores: fused({ base: b, reference: r, experts: experts.map(({ node }) => node), search, bounds }),
          effective: {
            op,
            base: base.effective,
            reference: reference.effective,
            experts: experts.map((expert) => expert.effective),
            search,
            bounds,
          },
        };
      }
    }
  }

  #term(value: unknown, path: string, depth: number): ReadTerm {
    const example = 'Use {"weight": 0.5, "of": "model"}.';
    if (!isObject(value)) throw new SpecError(path, 'wrong type', value, example);
    onlyKeys(value, ['weight', 'of'], path, example);
    const weight = readNumber(value['weight'], `${path}.weight`, -MAX_WEIGHT, MAX_WEIGHT);
    const { of } = value;
    const { classifier } = this.#readers;
    if (classifier && depth === 1 && isOperator(of) && of['op'] === CLASSIFIER) {
      this.#count(`${path}.of`);
      return { weight, scores: null, effective: classifier(of, `${path}.of`, weight) };
    }
    return { weight, ...this.scores(of, `${path}.of`, depth) };
  }

  #mask(value: unknown, path: string, depth: number): Read<Mask> {
    if (!isOperator(value))
      throw new SpecError(path, 'wrong type', value, 'Use a mask: {"op": "plausible", …} or {"op": "nucleus", …}.');
    const op = this.#operator(value, path, depth, maskOperators, 'a mask');
    const of = this.#logprobs(value['of'], `${path}.of`, depth + 1);
    if (op === 'plausible') {
      // Above 1 it would forbid every token.
      const ratio = readNumber(value['ratio'], `${path}.ratio`, 0, 1);
      return { node: plausible(of.node, ratio), effective: { op, of: of.effective, ratio } };
    }
    const mass = readNumber(value['mass'], `${path}.mass`, 0, 1);
    return { node: nucleus(of.node, mass), effective: { op, of: of.effective, mass } };
  }

  #several(value: unknown, path: string, depth: number): Read<Logprobs>[] {
    return array(value, path).map((each, index) => this.#logprobs(each, `${path}[${index}]`, depth));
  }

  #logprobs(value: unknown, path: string, depth: number): Read<Logprobs> {
    const { scores, effective } = this.#normalised(value, path, depth);
    return { node: scores.kind === 'logSoftmax' ? scores : logSoftmax(scores), effective };
  }

  #count(path: string): void {
    if (++this.#nodes > MAX_NODES)
      throw new SpecError(path, 'too large', this.#nodes, `An expression may have at most ${MAX_NODES} operators.`);
  }

  /** Only what the request combines itself is checked: a leaf is a distribution as it is. */
  #normalised(value: unknown, path: string, depth: number): Member {
    const member = this.scores(value, path, depth);
    if (isOperator(value)) this.#readers.check?.(member.scores, path);
    return member;
  }

  /** The operator, once its keys and the size of the whole are right. */
  #operator(
    value: JsonObject,
    path: string,
    depth: number,
    operators: Readonly<Record<string, readonly string[]>>,
    what: string,
  ): string {
    this.#count(path);
    if (depth >= MAX_NESTING)
      throw new SpecError(path, 'too large', depth + 1, `Operators may nest at most ${MAX_NESTING} deep.`);
    const op = value['op'];
    const known = Object.keys(operators);
    if (op === CLASSIFIER)
      throw new SpecError(
        `${path}.op`,
        'not allowed',
        op,
        'A classifier judges the text of a few tokens and gives no distribution: it may only be a term of the sum at the root.',
      );
    if (typeof op !== 'string' || !Object.hasOwn(operators, op))
      throw new SpecError(`${path}.op`, 'unknown name', op, `Here stands ${what}: use one of ${list(known)}.`, {
        known,
        nearest: typeof op === 'string' ? nearestName(op, known) : null,
      });
    const keys = operators[op] ?? [];
    onlyKeys(value, ['op', ...keys], path, `The operator "${op}" has ${list(keys)}.`);
    for (const key of keys)
      if (value[key] === undefined)
        throw new SpecError(`${path}.${key}`, 'missing', undefined, `The operator "${op}" has ${list(keys)}.`, {
          known: keys,
        });
    return op;
  }
}

/** A constructor's own complaint, with the path of its node. */
function checked(path: string, value: unknown, build: () => Member): Member {
  try {
    return build();
  } catch (error) {
    if (error instanceof ExprError) throw new SpecError(path, 'out of range', value, `${error.message}.`);
    throw error;
  }
}

function onlyKeys(value: JsonObject, known: readonly string[], path: string, remedy: string): void {
  for (const key of Object.keys(value))
    if (!known.includes(key))
      throw new SpecError(`${path}.${key}`, 'unknown key', key, remedy, { known, nearest: nearestName(key, known) });
}

function array(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new SpecError(path, 'wrong type', value, 'Use a list with at least one entry.');
  return value;
}

function isOperator(value: unknown): value is JsonObject {
  return isObject(value) && value['op'] !== undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
