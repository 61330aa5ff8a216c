/** Jest runs what tsc made of spec/, so threads, modules and types are the same as in the package. */
export default {
  rootDir: 'build/spec',
  globalSetup: '<rootDir>/support/bundle-command.js',
  testMatch: ['**/*.spec.js'],
  transform: {},
  testEnvironment: 'node',
  setupFiles: ['<rootDir>/support/same-seeds.js'],
  workerIdleMemoryLimit: '512MB',
  maxWorkers: 2,
  // Machines are shared and noisy: a case that hangs is found all the same.
  testTimeout: 60_000,
};
