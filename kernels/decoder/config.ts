// Typed reading of a config.json. Whatever is present but not understood is an error that names key, value and what is supported:
// a model that loads computes what its config says. Used by the families; the checkpoint reader turns the error into an AppError.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export class UnsupportedConfigError extends Error {
  override readonly name = 'UnsupportedConfigError';
}

const shown = (value: Json | undefined): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
};

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class ConfigReader {
  readonly #config: JsonObject;
  /** How errors call the place, e.g. "rope_scaling.". */
  readonly #path: string;

  constructor(config: JsonObject, path = '') {
    this.#config = config;
    this.#path = path;
  }

  has(key: string): boolean {
    return this.raw(key) !== undefined;
  }

  /** null counts as absent. */
  raw(key: string): Json | undefined {
    return this.#config[key] ?? undefined;
  }

  /** Present with the value null: means "none" where a class default would otherwise stand. */
  isNull(key: string): boolean {
    return this.#config[key] === null;
  }

  fail(key: string, value: Json | undefined, supported: string): never {
    throw new UnsupportedConfigError(`${this.#path}${key} is ${shown(value)}; supported: ${supported}`);
  }

  number(key: string, fallback?: number): number {
    const value = this.raw(key) ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) this.fail(key, value, 'a finite number');
    return value;
  }

  positive(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    return value > 0 ? value : this.fail(key, value, 'a number above 0');
  }

  /** A size: 1 to 2³¹ − 1. */
  size(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    return Number.isInteger(value) && value >= 1 && value < 2 ** 31
      ? value
      : this.fail(key, value, 'an integer from 1 up');
  }

  /** A number above 0, or null where the key is null; `absent` where there is no such key. */
  optionalPositive(key: string, absent: number | null = null): number | null {
    if (this.isNull(key)) return null;
    return this.has(key) ? this.positive(key) : absent;
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.raw(key) ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(key, value, 'true or false');
  }

  string(key: string, fallback?: string): string {
    const value = this.raw(key) ?? fallback;
    return typeof value === 'string' ? value : this.fail(key, value, 'a string');
  }

  numbers(key: string, length: number): readonly number[] {
    const value = this.raw(key);
    if (
      !Array.isArray(value) ||
      value.length !== length ||
      !value.every((x) => typeof x === 'number' && Number.isFinite(x))
    )
      this.fail(key, value, `a list of ${length} finite numbers`);
    return value as readonly number[];
  }

  strings(key: string): readonly string[] | null {
    const value = this.raw(key);
    if (value === undefined) return null;
    if (!Array.isArray(value) || !value.every((x) => typeof x === 'string')) this.fail(key, value, 'a list of strings');
    return value;
  }

  object(key: string): ConfigReader | null {
    const value = this.raw(key);
    if (value === undefined) return null;
    return isObject(value) ? new ConfigReader(value, `${this.#path}${key}.`) : this.fail(key, value, 'an object');
  }

  keys(): readonly string[] {
    return Object.keys(this.#config);
  }

  /** The key must be absent, null or one of `allowed`. */
  only(key: string, allowed: readonly Json[]): void {
    const value = this.raw(key);
    if (value !== undefined && !allowed.includes(value))
      this.fail(key, value, ['absent', ...allowed.map(shown)].join(', '));
  }
}
