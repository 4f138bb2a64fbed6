// Rounds a float32 matrix to 4 or 8 bits, in the layouts that the runtime's quantised products read. Pure loops over typed arrays;
// knows no graph and no file. Called by kernels/decoder/linear.ts while an artifact is written.
//
// Blocks (MatMulNBits, GatherBlockQuantized): w[n, k] ≈ (q[n, k] − zero) · scale[n, k div block], zero = 8 or 128 (the operator's
// default, so no zero-point tensor). Channels (MatMulIntegerToFloat): w[n, k] ≈ q[k, n] · scale[n].

export interface QuantizedBlocks {
  /** [rows, blocks, blockSize · bits / 8]; at 4 bits the even element is the low nibble. The last block is padded with zeros. */
  readonly data: Uint8Array;
  /** [rows · blocks] */
  readonly scales: Float32Array;
  /** Blocks per row: ceil(cols / blockSize). */
  readonly blocks: number;
}

export interface QuantizedChannels {
  /** [cols, rows]: transposed, one column per output. */
  readonly data: Int8Array;
  /** [rows] */
  readonly scales: Float32Array;
}

export function quantizeBlocks(
  w: Float32Array,
  rows: number,
  cols: number,
  bits: 4 | 8,
  blockSize: number,
): QuantizedBlocks {
  if (w.length !== rows * cols) throw new RangeError(`a ${rows}×${cols} matrix cannot have ${w.length} elements`);
  if (blockSize < 16 || (blockSize & (blockSize - 1)) !== 0) {
    throw new RangeError(`the block size must be a power of two from 16 up (got ${blockSize})`);
  }
  const blocks = Math.ceil(cols / blockSize);
  const bytes = (blockSize * bits) / 8;
  const data = new Uint8Array(rows * blocks * bytes);
  const scales = new Float32Array(rows * blocks);
  const quantize = bits === 4 ? quantizeBlock4 : quantizeBlock8;
  let block = 0;
  for (let row = 0; row < rows; row += 1) {
    for (let col = 0; col < cols; col += blockSize, block += 1) {
      const from = row * cols + col;
      scales[block] = quantize(w, from, from + Math.min(blockSize, cols - col), data, block * bytes, bytes);
    }
  }
  return { data, scales, blocks };
}

/**
 * The grid has 8 steps below zero and 7 above. Three scales are tried, which give the largest weight this many steps below zero:
 * just inside the grid, at its edge, and clipped (which pays where one weight stands out). Beyond 9.5 the rounding below would wrap.
 */
const narrow = -7.5;
const edge = -8.3;
const wide = -9.3;

/**
 * Picks the scale whose rounding leaves the least squared error. For fixed q the best scale is s = Σwq / Σq², and it leaves
 * Σw² − (Σwq)² / Σq²: so the largest quotient wins. One pass serves all three: this loop is what a conversion waits for.
 */
function quantizeBlock4(
  w: Float32Array,
  from: number,
  to: number,
  data: Uint8Array,
  at: number,
  bytes: number,
): number {
  let low = 0;
  let high = 0;
  for (let i = from; i < to; i += 1) {
    const value = w[i] as number;
    if (value < low) low = value;
    else if (value > high) high = value;
  }
  const largest = -low > high ? low : high;
  // A block of zeros, or of denormals whose inverse would overflow: all weights become zero.
  if (Math.abs(largest) < 1e-30) {
    data.fill(0x88, at, at + bytes);
    return 0;
  }
  const a = narrow / largest;
  const b = edge / largest;
  const c = wide / largest;
  let aw = 0;
  let aa = 0;
  let bw = 0;
  let bb = 0;
  let cw = 0;
  let cc = 0;
  for (let i = from; i < to; i += 1) {
    const value = w[i] as number;
    // Rounds half up: + 8 shifts the grid to 0..15, the 0.5 rounds, | 0 cuts. Only the upper end can overflow.
    const pa = (value * a + 8.5) | 0;
    const qa = pa > 15 ? 7 : pa - 8;
    const pb = (value * b + 8.5) | 0;
    const qb = pb > 15 ? 7 : pb - 8;
    const pc = (value * c + 8.5) | 0;
    const qc = pc > 15 ? 7 : pc - 8;
    aw += value * qa;
    aa += qa * qa;
    bw += value * qb;
    bb += qb * qb;
    cw += value * qc;
    cc += qc * qc;
  }
  let scale = aw / aa;
  let inverse = a;
  let best = aw * scale;
  if (bw * (bw / bb) > best) {
    scale = bw / bb;
    inverse = b;
    best = bw * scale;
  }
  if (cw * (cw / cc) > best) {
    scale = cw / cc;
    inverse = c;
  }
  let out = at;
  let i = from;
  for (; i + 1 < to; i += 2, out += 1) {
    const even = ((w[i] as number) * inverse + 8.5) | 0;
    const odd = ((w[i + 1] as number) * inverse + 8.5) | 0;
    data[out] = (even > 15 ? 15 : even) | ((odd > 15 ? 15 : odd) << 4);
  }
  if (i < to) {
    const even = ((w[i] as number) * inverse + 8.5) | 0;
    data[out] = (even > 15 ? 15 : even) | 0x80;
    out += 1;
  }
  data.fill(0x88, out, at + bytes);
  return scale;
}

function quantizeBlock8(
  w: Float32Array,
  from: number,
  to: number,
  data: Uint8Array,
  at: number,
  bytes: number,
): number {
  let largest = 0;
  for (let i = from; i < to; i += 1) {
    const value = Math.abs(w[i] as number);
    if (value > largest) largest = value;
  }
  if (largest < 1e-30) {
    data.fill(128, at, at + bytes);
    return 0;
  }
  const inverse = 127 / largest;
  let out = at;
  for (let i = from; i < to; i += 1, out += 1) data[out] = ((w[i] as number) * inverse + 128.5) | 0;
  data.fill(128, out, at + bytes);
  return largest / 127;
}

/** Rows handled together while transposing: one cache line of the output. */
const tileRows = 64;

export function quantizeChannels(w: Float32Array, rows: number, cols: number): QuantizedChannels {
  if (w.length !== rows * cols) throw new RangeError(`a ${rows}×${cols} matrix cannot have ${w.length} elements`);
  const data = new Int8Array(rows * cols);
  const scales = new Float32Array(rows);
  const inverses = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    let largest = 0;
    for (let i = row * cols, end = i + cols; i < end; i += 1) {
      const value = Math.abs(w[i] as number);
      if (value > largest) largest = value;
    }
    if (largest < 1e-30) continue;
    scales[row] = largest / 127;
    inverses[row] = 127 / largest;
  }
  for (let first = 0; first < rows; first += tileRows) {
    const last = Math.min(first + tileRows, rows);
    for (let col = 0; col < cols; col += 1) {
      for (let row = first; row < last; row += 1) {
        // + 128.5, cut, − 128: rounds half up without a call.
        data[col * rows + row] = (((w[row * cols + col] as number) * (inverses[row] as number) + 128.5) | 0) - 128;
      }
    }
  }
  return { data, scales };
}

/** The matrix that the quantised one stands for: for tests and for measuring the rounding error. */
export function dequantizeBlocks(
  { data, scales, blocks }: QuantizedBlocks,
  rows: number,
  cols: number,
  bits: 4 | 8,
  blockSize: number,
): Float32Array {
  const w = new Float32Array(rows * cols);
  const bytes = (blockSize * bits) / 8;
  for (let row = 0; row < rows; row += 1) {
    for (let col = 0; col < cols; col += 1) {
      const block = row * blocks + Math.floor(col / blockSize);
      const inside = col % blockSize;
      const scale = scales[block] as number;
      if (bits === 8) {
        w[row * cols + col] = ((data[block * bytes + inside] as number) - 128) * scale;
      } else {
        const pair = data[block * bytes + (inside >> 1)] as number;
        w[row * cols + col] = ((inside & 1 ? pair >> 4 : pair & 15) - 8) * scale;
      }
    }
  }
  return w;
}
