// Tests that need a WebGPU adapter; a software one will do. Started by scripts/test-gpu.sh, which finds a Vulkan driver.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/gpu/**/*.test.ts', 'tests/kernels/{logits,draw,fusion,constraint-mask,trace}.test.ts'],
    env: { TRIMTAB_TEST_DEVICE: 'webgpu' },
    reporters: ['default', './tests/support/closing-line-reporter.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 240_000,
  },
});
