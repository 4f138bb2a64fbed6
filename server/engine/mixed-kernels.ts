// Logit kernels where the logits are: of models on the CPU there, of models on the device there. Models of one distribution share a
// device (server/catalog.ts sees to it), so every call has one place.
import type { FuseCall, FuseResult, KernelNeed, LogitKernels } from '../../kernels/logits/kernels.js';
import { Tensor } from '../../kernels/session.js';
import type { Transfer } from '../../kernels/webgpu/transfer.js';
import { explained } from './device.js';
import type { Kernels } from './fuse.js';

export class MixedKernels implements Kernels {
  readonly #host: LogitKernels;
  readonly #gpu: { readonly kernels: LogitKernels; readonly transfer: Transfer } | null;

  constructor(host: LogitKernels, gpu: { readonly kernels: LogitKernels; readonly transfer: Transfer } | null) {
    this.#host = host;
    this.#gpu = gpu;
  }

  run(call: FuseCall): Promise<FuseResult> {
    const isThere = call.views.some(({ logits }) => logits.data instanceof Tensor);
    return this.#at(isThere).run(call);
  }

  prepare(need: KernelNeed, onDevice: boolean): Promise<boolean> {
    return this.#at(onDevice)
      .prepare(need)
      .catch((error: unknown) => {
        throw explained(error);
      });
  }

  async join(parts: readonly Tensor[], index: Int32Array): Promise<Tensor> {
    if (!this.#gpu) throw new Error('logits on a device that is not open');
    return this.#gpu.transfer.join(parts, index);
  }

  #at(onDevice: boolean): LogitKernels {
    if (!onDevice) return this.#host;
    if (!this.#gpu) throw new Error('logits on a device that is not open');
    return this.#gpu.kernels;
  }
}
