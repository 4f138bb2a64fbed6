// Lint: type-aware rules, and the import arrows of the house (docs/decisions.md, D1) as restricted imports per room.
import tseslint from 'typescript-eslint';

/** Forbids importing the given rooms (paths below the root) from `files`. */
const arrows = (files, rooms, extra = []) => ({
  files,
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          ...rooms.map(({ room, why, types }) => ({
            regex: `^(\\.\\./)+${room}`,
            message: why,
            allowTypeImports: types ?? false,
          })),
          ...extra,
        ],
      },
    ],
  },
});

const onlyKernels = {
  regex: '^onnxruntime-node',
  message: 'onnxruntime-node lives in kernels/ only (architecture: the only home of the runtime).',
};

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      '**/node_modules/',
      'coverage/',
      'loadtest/peers/',
      'models/pocket/build/',
      '**/*.js',
      '**/*.mjs',
    ],
  },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'prefer-const': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'process.env is read in server/config.ts only.' },
      ],
    },
  },
  {
    files: ['server/config.ts', 'server/config/**', 'tests/**', '*.config.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  arrows(
    ['decoders/**/*.ts'],
    [{ room: '(kernels|server|clients|loadtest|models)/', why: 'decoders imports nothing of ours.' }],
    [onlyKernels],
  ),
  arrows(
    ['kernels/**/*.ts'],
    [
      { room: '(server|clients|loadtest|models)/', why: 'kernels imports decoders/expr only.' },
      { room: 'decoders/(?!expr)', why: 'kernels imports decoders/expr only.' },
    ],
  ),
  arrows(
    ['server/engine/**/*.ts'],
    [{ room: '(routes|plugins)/', why: 'the engine does not know HTTP.' }],
    [onlyKernels],
  ),
  arrows(
    ['server/routes/**/*.ts', 'server/plugins/**/*.ts'],
    [
      { room: 'engine/(?!client)', why: 'routes see engine/client and wire only.' },
      { room: 'kernels/', why: 'routes never touch kernels.' },
    ],
    [onlyKernels],
  ),
  arrows(
    ['clients/**/*.{ts,tsx}'],
    [
      { room: 'server/wire/', why: 'clients import types of server/wire only.', types: true },
      { room: '(server/(?!wire/)|kernels|decoders)', why: 'clients import types of server/wire only.' },
    ],
    [onlyKernels],
  ),
  arrows(['server/models/**/*.ts', 'loadtest/**/*.ts', 'server/*.ts', 'server/wire/**/*.ts'], [], [onlyKernels]),
  { files: ['tests/**/*.ts'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
);
