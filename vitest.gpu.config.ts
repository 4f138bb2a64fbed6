// Tests that need a WebGPU adapter; a software one will do. Started by `npm run test:gpu`, which finds a Vulkan driver. The kernels' own
// tests run on the device too, file by file: `scripts/with-vulkan.sh npx vitest run -c vitest.gpu.config.ts tests/kernels/trace.test.ts`
// with TRIMTAB_GPU_KERNELS=1; on a software driver some of them take minutes.
import { defineConfig } from 'vitest/config';

const kernels = process.env['TRIMTAB_GPU_KERNELS'] === '1';

export default defineConfig({
  test: {
    include: [
      'tests/gpu/**/*.test.ts',
      ...(kernels ? ['tests/kernels/{logits,draw,constraint-mask,trace}.test.ts'] : []),
    ],
    env: { TRIMTAB_TEST_DEVICE: 'webgpu' },
    setupFiles: ['./tests/support/seed.ts'],
    reporters: ['default', './tests/support/closing-line-reporter.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 240_000,
  },
});
