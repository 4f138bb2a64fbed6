// The device that tests of kernels and decoders run on: the CPU, or what `npm run test:gpu` says. A software GPU compiles a second for every
// kernel, so there random cases are few, and the suites whose every case is a large kernel of its own run on request (TRIMTAB_GPU_KERNELS=1).
import type { Device } from '../../kernels/session.js';

export const testDevice: Device = process.env['TRIMTAB_TEST_DEVICE'] === 'webgpu' ? 'webgpu' : 'cpu';
export const isBrief = testDevice === 'webgpu' && process.env['TRIMTAB_GPU_KERNELS'] !== '1';

/** How many random cases to look at where the CPU looks at `all`. */
export const runs = (all: number): number => (isBrief ? Math.ceil(all / 40) : all);
