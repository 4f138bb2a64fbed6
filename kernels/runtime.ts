// What the installed runtime is and what it can compute on: facts for people who look for a fault. Creates no session.
import { env, listSupportedBackends } from 'onnxruntime-node';

export interface Adapter {
  readonly name: string;
  /** What of it can be said without using it. */
  readonly note: string;
}

export const runtimeVersion = (): string => env.versions.node ?? env.versions.common;

/** Where models can run beside the processor, as far as the runtime says; empty: nowhere. */
export function adapters(): readonly Adapter[] {
  return listSupportedBackends()
    .filter(({ name, bundled }) => name !== 'cpu' && bundled)
    .map(({ name }) => ({
      name,
      note: 'the runtime has this backend; whether there is an adapter shows when a model is loaded',
    }));
}
