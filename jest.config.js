import { readdirSync } from 'node:fs';

// The sources decide: what was compiled from a spec that has since been removed does not run.
const specs = readdirSync(new URL('spec', import.meta.url), { recursive: true }).filter((name) =>
  name.endsWith('.spec.ts'),
);

/** Jest runs what tsc made of spec/, so threads, modules and types are the same as in the package. */
export default {
  rootDir: 'build/spec',
  globalSetup: '<rootDir>/support/bundle-command.js',
  testMatch: specs.map((name) => `<rootDir>/${name.replace(/ts$/, 'js')}`),
  transform: {},
  testEnvironment: 'node',
  setupFiles: ['<rootDir>/support/same-seeds.js'],
  workerIdleMemoryLimit: '512MB',
  // Specs often wait for processes; a third worker uses that time. Brokers and Spark need its memory.
  maxWorkers: process.env.MILLRACE_KAFKA === 'required' ? 2 : 3,
  // Machines are shared and noisy: a case that hangs is found all the same.
  testTimeout: 60_000,
};
