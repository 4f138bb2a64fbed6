// Numbers as JSON spells them, within bounds: automata that compare digit by digit. At most 15 digits, which a double tells apart, and
// two of an exponent: a number always ends. Pure.
import { combine, explore, type Table } from './automaton.js';

export interface NumberBounds {
  readonly integer: boolean;
  readonly min: number | null;
  readonly max: number | null;
  readonly isMinExcluded: boolean;
  readonly isMaxExcluded: boolean;
  /** A positive integer; null for none. */
  readonly multipleOf: number | null;
}

const MAX_DIGITS = 15;
const DIGITS = '0123456789';
const isDigit = (character: string): boolean => character >= '0' && character <= '9';

export function numberTable(bounds: NumberBounds, limit: number): Table {
  const { min, max, multipleOf } = bounds;
  const isBounded = min !== null || max !== null;
  let table = shape(bounds.integer || multipleOf !== null, isBounded, limit);
  if (min !== null) table = combine(table, beyond(min, bounds.isMinExcluded, 1, limit), limit);
  if (max !== null) table = combine(table, beyond(max, bounds.isMaxExcluded, -1, limit), limit);
  if (multipleOf !== null) table = combine(table, divisible(multipleOf, limit), limit);
  return table;
}

/** −? (0 | [1-9] digits) (. digits)? (e ±? digits)?; no −0, no exponent where there are bounds. */
function shape(integer: boolean, isBounded: boolean, limit: number): Table {
  const step = (state: string, c: string): string | null => {
    const [phase = '', digits = '0'] = state.split(' ');
    const count = Number(digits);
    switch (phase) {
      case 'start':
      case 'minus':
        if (c === '-') return phase === 'start' ? 'minus 0' : null;
        if (c === '0') return phase === 'minus' ? (integer ? null : 'minusZero 1') : 'zero 1';
        return isDigit(c) ? 'int 1' : null;
      case 'int':
      case 'zero':
      case 'minusZero':
        if (isDigit(c)) return phase === 'int' && count < MAX_DIGITS ? `int ${count + 1}` : null;
        if (integer) return null;
        if (c === '.') return count < MAX_DIGITS ? `point ${count}` : null;
        return c === 'e' && !isBounded ? 'e 0' : null;
      case 'point':
      case 'fraction':
        if (isDigit(c)) return count < MAX_DIGITS ? `fraction ${count + 1}` : null;
        return c === 'e' && phase === 'fraction' && !isBounded ? 'e 0' : null;
      case 'e':
        if (c === '+' || c === '-') return 'sign 0';
        return isDigit(c) ? 'exponent 1' : null;
      case 'sign':
        return isDigit(c) ? 'exponent 1' : null;
      case 'exponent':
        return isDigit(c) && count < 2 ? 'exponent 2' : null;
      default:
        return null;
    }
  };
  const accepts = (state: string): boolean => /^(int|zero|fraction|exponent) /.test(state);
  return explore('start 0', `-${DIGITS}.e+`, step, accepts, limit);
}

/**
 * Numbers (without exponent) above `bound` where `sign` is 1, below it where it is −1, or equal to it. A state is the number's sign, how
 * many digits its integer part has, how it compares so far, and which digit of the fraction comes next.
 */
function beyond(bound: number, isExcluded: boolean, sign: 1 | -1, limit: number): Table {
  const isNegative = bound < 0;
  const [whole = '0', fraction = ''] = plainDecimal(Math.abs(bound)).split('.');
  const step = (state: string, c: string): string | null => {
    const [minus = '', phase = '', at = '0', order = '='] = state.split(' ');
    const index = Number(at);
    if (c === '-') return minus === '+' && phase === 'int' && index === 0 ? '- int 0 =' : null;
    if (c === '.') {
      if (phase !== 'int' || index === 0) return null;
      const compared = index === whole.length ? order : index < whole.length ? '<' : '>';
      return `${minus} fraction 0 ${compared}`;
    }
    const digits = phase === 'int' ? whole : fraction;
    // How digits beyond the bound's compare is settled by their number, or by not being zero.
    const own = digits[index] ?? (phase === 'int' ? c : '0');
    const compared = order === '=' ? (c < own ? '<' : c > own ? '>' : '=') : order;
    return `${minus} ${phase} ${Math.min(index + 1, digits.length + 1)} ${compared}`;
  };
  const magnitude = (phase: string, index: number, order: string): string => {
    if (phase === 'int') {
      if (index !== whole.length) return index < whole.length ? '<' : '>';
      return order === '=' && fraction !== '' ? '<' : order;
    }
    return order === '=' && /[1-9]/.test(fraction.slice(index)) ? '<' : order;
  };
  const accepts = (state: string): boolean => {
    const [minus = '', phase = '', at = '0', order = '='] = state.split(' ');
    const index = Number(at);
    if (index === 0) return false;
    const isMinus = minus === '-';
    const size = magnitude(phase, index, order);
    const isZero = bound === 0 && size === '=';
    if (isZero) return !isExcluded;
    if (isMinus !== isNegative) return isMinus ? sign === -1 : sign === 1;
    if (size === '=') return !isExcluded;
    // Larger in size is larger where positive, smaller where negative.
    return (size === '>') !== isNegative ? sign === 1 : sign === -1;
  };
  return explore('+ int 0 =', `-${DIGITS}.`, step, accepts, limit);
}

/** Integers that `divisor` divides. */
function divisible(divisor: number, limit: number): Table {
  const step = (state: string, c: string): string | null => {
    if (c === '-') return state === 'start' ? 'minus' : null;
    const rest = /^\d+$/.test(state) ? Number(state) : 0;
    return String((rest * 10 + Number(c)) % divisor);
  };
  return explore('start', `-${DIGITS}`, step, (state) => state === '0', limit);
}

/** Without exponent. */
function plainDecimal(value: number): string {
  const [mantissa = '0', exponent] = String(value).split('e');
  if (exponent === undefined) return mantissa;
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const shift = Number(exponent);
  const digits = whole + fraction;
  const point = whole.length + shift;
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  return point >= digits.length
    ? digits + '0'.repeat(point - digits.length)
    : `${digits.slice(0, point)}.${digits.slice(point)}`;
}
