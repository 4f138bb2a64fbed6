// The checkpoint's tensors under canonical roles: finds names, checks shapes while the graph is built (not while it is written), joins
// what belongs together, turns matrices to [out, in]. Reads bytes only inside the returned functions, one matrix at a time.
import { UnsupportedConfigError } from './config.js';
import type { TensorNames } from './family.js';
import type { TensorSource } from './weights.js';

/** A matrix [rows, columns] that will be read when it is written. */
export interface Matrix {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly read: () => Float32Array;
}

interface Part {
  readonly name: string;
  readonly rows: number;
}

export const bytesOf = (data: Float32Array | Int8Array | Uint8Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** in [rows, columns] → [columns, rows], in tiles that fit the cache. */
export function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const tile = 32;
  const result = new Float32Array(data.length);
  for (let row0 = 0; row0 < rows; row0 += tile) {
    const row1 = Math.min(rows, row0 + tile);
    for (let column0 = 0; column0 < columns; column0 += tile) {
      const column1 = Math.min(columns, column0 + tile);
      for (let row = row0; row < row1; row++)
        for (let column = column0; column < column1; column++)
          result[column * rows + row] = data[row * columns + column] ?? 0;
    }
  }
  return result;
}

function join(parts: readonly Float32Array[]): Float32Array {
  const [first] = parts;
  if (first && parts.length === 1) return first;
  const result = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** What is asked of the names: under which prefixes one tensor, which every such checkpoint has, is looked for. */
type SoughtNames = Pick<TensorNames, 'prefixes' | 'embedding' | 'transposed'> & { readonly heads?: readonly string[] };

export class Tensors {
  readonly #source: TensorSource;
  readonly #names: SoughtNames;
  readonly #prefix: string;
  readonly #counted = new Set<string>();
  #parameters = 0;

  constructor(source: TensorSource, names: SoughtNames) {
    this.#source = source;
    this.#names = names;
    const prefix = names.prefixes.find((candidate) => source.has(candidate + names.embedding));
    if (prefix === undefined)
      throw new UnsupportedConfigError(
        `The checkpoint has no tensor ${names.prefixes.map((candidate) => candidate + names.embedding).join(' or ')}`,
      );
    this.#prefix = prefix;
  }

  /** Elements of all tensors asked for so far, each counted once. */
  get parameters(): number {
    return this.#parameters;
  }

  /** A vector below the prefix, plus `offset` on every element. */
  vector(name: string, length: number, offset = 0): () => Float32Array {
    const whole = this.#checked(this.#prefix + name, [length]);
    return () => {
      const data = this.#source.readF32(whole);
      if (offset !== 0) for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) + offset;
      return data;
    };
  }

  /** A table below the prefix: as stored, whatever the family's layout of matrices. */
  table(name: string, rows: number, columns: number): Matrix {
    const whole = this.#checked(this.#prefix + name, [rows, columns]);
    return { name, rows, columns, read: () => this.#source.readF32(whole) };
  }

  /** A tensor of any rank below the prefix, flat. */
  whole(name: string, shape: readonly number[]): () => Float32Array {
    const whole = this.#checked(this.#prefix + name, shape);
    return () => this.#source.readF32(whole);
  }

  /** The rows of one or several stored matrices below the prefix, one under the other. */
  matrix(role: string, names: readonly string[], rows: readonly number[], columns: number): Matrix {
    const parts = this.#parts(names, rows);
    const { transposed = false } = this.#names;
    const wholes = parts.map((part) => ({
      ...part,
      name: this.#checked(
        `${this.#prefix}${part.name}.weight`,
        transposed ? [columns, part.rows] : [part.rows, columns],
      ),
    }));
    return {
      name: role,
      rows: parts.reduce((sum, part) => sum + part.rows, 0),
      columns,
      read: () =>
        join(
          wholes.map((part) => {
            const data = this.#source.readF32(part.name);
            return transposed ? transpose(data, columns, part.rows) : data;
          }),
        ),
    };
  }

  /** The biases of the same parts, or null when the spec has none; a bias that the spec does not know is an error. */
  bias(names: readonly string[], rows: readonly number[], present: boolean): (() => Float32Array) | null {
    const parts = this.#parts(names, rows);
    if (present) {
      const wholes = parts.map((part) => this.#checked(`${this.#prefix}${part.name}.bias`, [part.rows]));
      return () => join(wholes.map((whole) => this.#source.readF32(whole)));
    }
    const surplus = parts.find((part) => this.#source.has(`${this.#prefix}${part.name}.bias`));
    if (surplus)
      throw new UnsupportedConfigError(
        `The checkpoint has a tensor ${this.#prefix}${surplus.name}.bias, but its config says that there is no such bias`,
      );
    return null;
  }

  /** A tensor below the prefix that would change what is computed, where the family computes nothing of the kind. */
  refuse(name: string, what: string): void {
    const whole = this.#prefix + name;
    if (this.#source.has(whole))
      throw new UnsupportedConfigError(
        `The checkpoint has a tensor ${whole}, but a model of its model_type has ${what}`,
      );
  }

  /** The untied head [vocab, hidden]. */
  head(rows: number, columns: number): Matrix {
    const { heads = [] } = this.#names;
    const candidates = [...heads, ...heads.map((name) => this.#prefix + name)];
    const name = candidates.find((candidate) => this.#source.has(`${candidate}.weight`));
    if (name === undefined)
      throw new UnsupportedConfigError(
        `tie_word_embeddings is false, but the checkpoint has no tensor ${heads.join('.weight or ')}.weight`,
      );
    const whole = this.#checked(`${name}.weight`, [rows, columns]);
    return { name: 'head', rows, columns, read: () => this.#source.readF32(whole) };
  }

  /** The head of a sequence classifier [labels, hidden] and its optional bias. */
  score(labels: number, columns: number): { readonly matrix: Matrix; readonly bias: (() => Float32Array) | null } {
    const whole = this.#checked('score.weight', [labels, columns]);
    const bias = this.#source.has('score.bias') ? this.#checked('score.bias', [labels]) : null;
    return {
      matrix: { name: 'score', rows: labels, columns, read: () => this.#source.readF32(whole) },
      bias: bias === null ? null : () => this.#source.readF32(bias),
    };
  }

  #parts(names: readonly string[], rows: readonly number[]): readonly Part[] {
    const total = rows.reduce((sum, count) => sum + count, 0);
    const [name] = names;
    if (names.length === 1 && name !== undefined) return [{ name, rows: total }];
    return names.map((part, i) => ({ name: part, rows: rows[i] ?? 0 }));
  }

  #checked(name: string, shape: readonly number[]): string {
    if (!this.#source.has(name))
      throw new UnsupportedConfigError(`The checkpoint has no tensor ${name}, which its config implies`);
    const stored = this.#source.info(name).shape;
    if (stored.length !== shape.length || stored.some((dim, i) => dim !== shape[i]))
      throw new UnsupportedConfigError(
        `The tensor ${name} is [${stored.join(', ')}], but the config implies [${shape.join(', ')}]`,
      );
    if (!this.#counted.has(name)) {
      this.#counted.add(name);
      this.#parameters += shape.reduce((product, dim) => product * dim, 1);
    }
    return name;
  }
}
