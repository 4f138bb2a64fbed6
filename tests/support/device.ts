// The device that tests of kernels and decoders run on: the CPU, or what `npm run test:gpu` says.
import type { Device } from '../../kernels/session.js';

export const testDevice: Device = process.env['TRIMTAB_TEST_DEVICE'] === 'webgpu' ? 'webgpu' : 'cpu';
export const onDevice = testDevice === 'webgpu';
