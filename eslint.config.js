import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'dist/**',
      'build/**',
      'node_modules/**',
      '*.config.js',
      'dashboard/vite.config.js',
      '.dependency-cruiser.cjs',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: [
          'lib/tsconfig.json',
          'dashboard/tsconfig.json',
          'mock-server/tsconfig.json',
          'workflows/tsconfig.json',
          'spec/tsconfig.json',
          'bench/tsconfig.json',
          'examples/tsconfig.json',
        ],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Numbers and booleans in messages are what messages are for.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Rejecting with exactly what a user threw is a promise of the engine.
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    // A job knows nothing of the process around it: folder, environment, Node.js and sinks come in as arguments. Its
    // messages name what is wrong, and no option of the command line: a server shows them too.
    files: ['lib/jobs/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'Accept what a job needs of the process as an argument; see JobPlace.' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector:
            ':matches(Literal[value=/--(?!check|input-type|save-dev)[a-z]/], TemplateElement[value.raw=/--(?!check|input-type|save-dev)[a-z]/])',
          message: 'Name the setting; the command says how to write it. Options of Node and npm are exceptions.',
        },
        {
          selector: 'CallExpression[callee.name=/^(resolve|relative)$/][arguments.length=1]',
          message: 'This resolves from the current folder of the process. Use absolutePath(place, path).',
        },
        {
          selector: 'CallExpression[callee.name="relative"][arguments.0.value="."]',
          message: 'This resolves from the current folder of the process. Use the folder of the place.',
        },
      ],
      'no-restricted-imports': ['error', 'process', 'node:process'],
    },
  },
  {
    // Tests await plain values to let microtasks run, and hand synchronous functions to what takes promises.
    files: ['spec/**'],
    rules: {
      '@typescript-eslint/await-thenable': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      '@typescript-eslint/require-await': 'off',
      // Specs wrap methods of prototypes to look on.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // The types of a workflow are inferred, and are not written down by its users.
    files: ['examples/**'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off' },
  },
  {
    // What must not compile is no place for lint.
    files: ['spec/types/**'],
    rules: {
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    files: ['lib/commands/**', 'lib/cli.ts', 'mock-server/main.ts', 'bench/**', 'examples/**', 'spec/*/main.ts'],
    rules: { 'no-console': 'off' },
  },
);
