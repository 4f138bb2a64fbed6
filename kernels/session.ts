// The only file that creates onnxruntime sessions. It knows bytes, names and tensors; not what a graph means. A session belongs to
// whoever made it, who must release it. `run` blocks its thread (the binding is synchronous): sessions live in the engine thread.
import { InferenceSession, Tensor } from 'onnxruntime-node';

export { Tensor };

export type Device = 'cpu' | 'webgpu';

/** What crosses the bus, in bytes, by what it is for. The same object for all sessions of a thread. */
export class Traffic {
  readonly read = new Map<string, number>();
  uploaded = 0;

  countRead(cause: string, bytes: number): void {
    this.read.set(cause, (this.read.get(cause) ?? 0) + bytes);
  }
}

export interface SessionSettings {
  /** Threads of the session's own pool, the calling thread included. */
  readonly threads: number;
  readonly device: Device;
  /** webgpu: outputs that stay where they are made. The others are read back. */
  readonly resident?: readonly string[];
  /** webgpu: where what crosses the bus is counted, and under which cause what is read back. */
  readonly traffic?: Traffic | undefined;
  readonly cause?: string;
  /** For graphs that are made on demand: rewrites that take long to look for, and that kernels of ours give no occasion for, are left out. */
  readonly quickly?: boolean;
  /** Writes a trace of every operator to files with this prefix: for measurements only. */
  readonly profilePrefix?: string;
}

export type Feeds = Readonly<Record<string, Tensor>>;
export type Fetches = Readonly<Record<string, Tensor>>;

export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Runs the model; every fetched output is copied to the host, so name only what is needed. All outputs by default. */
  run(feeds: Feeds, fetches?: readonly string[]): Promise<Fetches>;
  /** Frees the model. Running afterwards is an error. */
  release(): Promise<void>;
}

export async function createSession(
  model: Uint8Array | { readonly path: string },
  settings: SessionSettings,
): Promise<Session> {
  const { threads, device, quickly = false, profilePrefix, resident = [], traffic, cause = 'other' } = settings;
  const options: InferenceSession.SessionOptions = {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: quickly ? 'basic' : 'all',
    // A graph that the device refuses is told by the error, not on the terminal.
    logSeverityLevel: device === 'webgpu' ? 4 : 3,
    // Several sessions take turns on the same cores: a pool that goes on spinning after its run steals them from the next one (three
    // models of 135M in turn: 45 ms with spinning, 18 ms without).
    // An operator that the device lacks is an error: done on the host in silence, everything would cross the bus twice a step.
    extra: {
      session: { force_spinning_stop: '1', ...(device === 'webgpu' ? { disable_cpu_ep_fallback: '1' } : {}) },
    },
    ...(resident.length > 0 && device === 'webgpu'
      ? { preferredOutputLocation: Object.fromEntries(resident.map((name) => [name, 'gpu-buffer' as const])) }
      : {}),
    ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
  };
  const session =
    model instanceof Uint8Array
      ? await InferenceSession.create(model, options)
      : await InferenceSession.create(model.path, options);
  let released = false;
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(feeds, fetches) {
      if (released) throw new Error('The session is released.');
      const results = fetches ? await session.run(feeds, fetches) : await session.run(feeds);
      if (traffic) count(traffic, cause, feeds, results);
      return results;
    },
    async release() {
      if (released) return;
      released = true;
      if (profilePrefix !== undefined) session.endProfiling();
      await session.release();
    },
  };
}

/** Frees sessions that are kept as promises. One that could not be made is none. */
export async function releaseAll(kept: Iterable<Promise<Pick<Session, 'release'>> | null>): Promise<void> {
  for (const made of kept) {
    const session = await made?.catch(() => null);
    await session?.release();
  }
}

function count(traffic: Traffic, cause: string, feeds: Feeds, results: Fetches): void {
  for (const tensor of Object.values(feeds)) if (tensor.location === 'cpu') traffic.uploaded += bytesOf(tensor);
  for (const tensor of Object.values(results)) if (tensor.location === 'cpu') traffic.countRead(cause, bytesOf(tensor));
}

/** Tensors of strings are none of ours. */
const bytesOf = ({ data }: Tensor): number => (data as Float32Array).byteLength;
