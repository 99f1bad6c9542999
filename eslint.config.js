import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  { ignores: ['dist/', 'coverage/', 'node_modules/', '*.config.js', '*.cjs', '.*.cjs'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Blind to values that change during an await, e.g. signal.aborted.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      complexity: ['error', 10],
      'max-depth': ['error', 3],
      'max-params': ['error', 4],
      'max-lines': ['error', { max: 200, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      'no-param-reassign': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/{model,scheduling,admission,usecases}/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'take the time as a parameter' },
        { object: 'Math', property: 'random', message: 'take the value as a parameter' },
        { object: 'process', property: 'env', message: 'read settings in src/config only' },
      ],
    },
  },
  {
    // Every optional field of an API object counts as a branch; translating one is not complex.
    files: ['src/kube/**'],
    rules: { complexity: ['error', 18] },
  },
  {
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      'max-lines': 'off',
      complexity: ['error', 12],
      // The harness talks to the person who started it.
      'no-console': 'off',
    },
  },
  {
    // Optional fields again: simulated controllers read API objects all the time.
    files: ['test/simulation/**'],
    rules: { complexity: ['error', 18] },
  },
);
