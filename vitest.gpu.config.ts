// Tests that need a WebGPU adapter; a software one will do. Started by `npm run test:gpu`, which finds a Vulkan driver. The kernels' own
// tests run on the device too, with few random cases; with TRIMTAB_GPU_KERNELS=1 with all of them, which takes a software driver an hour.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/gpu/**/*.test.ts', 'tests/kernels/{logits,draw,constraint-mask,trace,fusion}.test.ts'],
    env: { TRIMTAB_TEST_DEVICE: 'webgpu' },
    setupFiles: ['./tests/support/seed.ts'],
    reporters: ['default', './tests/support/closing-line-reporter.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 240_000,
  },
});
