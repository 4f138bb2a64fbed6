// Between the device and the host, and between tensors of the device, beside what models and kernels do: small graphs that copy. The
// binding's own getData() ends the process (1.30.0), so reading back is a graph too. Sessions are made once and kept; knows no meaning.
import { GraphBuilder, type Value } from '../graph.js';
import { remembered } from '../memo.js';
import * as ops from '../ops.js';
import { encodeModel } from '../proto.js';
import { legalise } from './legalise.js';
import { createSession, type Device, releaseAll, type Session, Tensor, type Traffic } from '../session.js';

export class Transfer {
  readonly #traffic: Traffic | undefined;
  /** The CPU stands for it in tests. */
  readonly device: Device;
  readonly #sessions = new Map<string, Promise<Session>>();

  constructor(traffic?: Traffic, device: Device = 'webgpu') {
    this.#traffic = traffic;
    this.device = device;
  }

  /** Rows of a [N, W] tensor, on the host. */
  async toHost(tensor: Tensor, rows: Int32Array, cause: string): Promise<Float32Array> {
    const session = await this.#session(`read ${cause}`, [], cause, (g) =>
      ops.Gather(g.input('from', 'float32', ['N', 'W']), g.input('rows', 'int32', ['R'])),
    );
    const { to } = await session.run({ from: tensor, rows: new Tensor('int32', rows, [rows.length]) });
    return to?.data as Float32Array;
  }

  /**
   * Of some rows of logits [N, W]: the log-probabilities of a few tokens each, as many of every row, on the host. Columns from `vocabSize` on
   * are padding.
   */
  async logprobs(
    logits: Tensor,
    { rows, ids, vocabSize }: { readonly rows: Int32Array; readonly ids: Int32Array; readonly vocabSize: number },
    cause: string,
  ): Promise<Float32Array> {
    const width = logits.dims[1] ?? 0;
    const each = ids.length / rows.length;
    const session = await this.#session(`log-probabilities ${cause} ${width} ${vocabSize} ${each}`, [], cause, (g) => {
      const picked = ops.Gather(g.input('from', 'float32', ['N', width]), g.input('rows', 'int32', ['Q']));
      const tokens = vocabSize < width ? ops.Slice(picked, { axis: 1, start: 0, end: vocabSize }) : picked;
      return ops.GatherElements(ops.LogSoftmax(tokens), g.input('ids', 'int32', ['Q', each]), { axis: 1 });
    });
    const feeds = {
      from: logits,
      rows: new Tensor('int32', rows, [rows.length]),
      ids: new Tensor('int32', ids, [rows.length, each]),
    };
    const { to } = await session.run(feeds);
    return to?.data as Float32Array;
  }

  /** Rows of several [N, W] tensors in one, on the device: row r of the result is row `index[r]` of all of them, one after the other. */
  async join(parts: readonly Tensor[], index: Int32Array): Promise<Tensor> {
    const session = await this.#session(`join ${parts.length}`, ['to'], 'other', (g) =>
      ops.Gather(
        ops.Concat(
          parts.map((_, p) => g.input(`part.${p}`, 'float32', [`N${p}`, 'W'])),
          0,
        ),
        g.input('rows', 'int32', ['R']),
      ),
    );
    const feeds = Object.fromEntries(parts.map((part, p) => [`part.${p}`, part]));
    const { to } = await session.run({ ...feeds, rows: new Tensor('int32', index, [index.length]) });
    if (!to) throw new Error('nothing was joined');
    return to;
  }

  /** Host numbers as a tensor on the device. */
  async toDevice(data: Int32Array, dims: readonly number[]): Promise<Tensor> {
    const session = await this.#session(`send ${dims.length}`, ['to'], 'other', (g) =>
      ops.Add(
        g.input(
          'from',
          'int32',
          dims.map((_, axis) => `D${axis}`),
        ),
        0,
      ),
    );
    const { to } = await session.run({ from: new Tensor('int32', data, dims) });
    if (!to) throw new Error('nothing came to the device');
    return to;
  }

  async release(): Promise<void> {
    await releaseAll(this.#sessions.values());
    this.#sessions.clear();
  }

  #session(
    key: string,
    resident: readonly string[],
    cause: string,
    build: (g: GraphBuilder) => Value,
  ): Promise<Session> {
    return remembered(this.#sessions, key, () => {
      const g = new GraphBuilder(key);
      g.output('to', build(g));
      const { graph } = legalise(g.finish(), { longest: 0, areLong: false });
      const { bytes } = encodeModel(graph, null);
      const settings = { threads: 1, device: this.device, quickly: true, resident, traffic: this.#traffic, cause };
      return createSession(bytes, settings);
    });
  }
}
