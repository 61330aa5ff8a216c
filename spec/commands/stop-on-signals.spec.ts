/** How signals stop a run. The run is a stand-in: this is about the counting of signals. */
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { stopOnSignals } from '#lib/commands/stop-on-signals.js';
import { PRESSES, WATCHED } from '#lib/commands/watched-run.js';

const releases: (() => void)[] = [];
afterEach(() => {
  jest.useRealTimers();
  for (const release of releases.splice(0)) release();
  Reflect.deleteProperty(process.env, WATCHED);
});

function listen(graceMs = 8000, isInAftermath = () => false): string[] {
  const calls: string[] = [];
  const run = {
    drain: (options?: { readonly graceMs?: number | undefined }) => calls.push(`drain ${options?.graceMs ?? ''}`),
    cancel: () => calls.push('cancel'),
    get isInAftermath() {
      return isInAftermath();
    },
  } as unknown as Parameters<typeof stopOnSignals>[0];
  const report = { stopping: (how: string) => calls.push(how) };
  const release = stopOnSignals(run, report, { graceMs, onStuck: () => calls.push('stuck'), maxAbortMs: 500 });
  releases.push(release);
  return calls;
}

/** Calls the listeners only: a signal to this process would reach other listeners of the tests. */
const signal = (): boolean => process.emit('SIGINT', 'SIGINT');

describe('a signal', () => {
  it('drains the run within the grace, and a second one aborts it', () => {
    jest.useFakeTimers();
    const calls = listen();
    signal();
    jest.advanceTimersByTime(200);
    signal();
    expect(calls).toEqual(['draining', 'drain 8000', 'aborting', 'cancel']);
  });

  it('aborts the run at once if it is SIGQUIT, also while the run drains', () => {
    jest.useFakeTimers();
    const calls = listen();
    signal();
    process.emit('SIGQUIT', 'SIGQUIT');
    expect(calls).toEqual(['draining', 'drain 8000', 'aborting', 'cancel']);
    expect(process.listenerCount('SIGQUIT')).toBe(0);
    const others = listen();
    process.emit('SIGQUIT', 'SIGQUIT');
    expect(others).toEqual(['aborting', 'cancel']);
  });

  it('leaves time to the tasks that run after the end of an aborted run', () => {
    jest.useFakeTimers();
    let isInAftermath = true;
    const calls = listen(8000, () => isInAftermath);
    signal();
    jest.advanceTimersByTime(200);
    signal();
    jest.advanceTimersByTime(60_000);
    expect(calls).not.toContain('stuck');
    isInAftermath = false;
    jest.advanceTimersByTime(1000);
    expect(calls).toContain('stuck');
  });

  it('counts once if npm sends it again at once', () => {
    jest.useFakeTimers();
    const calls = listen();
    signal();
    signal();
    expect(calls).toEqual(['draining', 'drain 8000']);
  });

  it('ends the process of a run that is aborted and does not end', () => {
    jest.useFakeTimers();
    const calls = listen(1000);
    signal();
    jest.advanceTimersByTime(1499);
    expect(calls).not.toContain('stuck');
    jest.advanceTimersByTime(1);
    expect(calls).toContain('stuck');
  });

  it('counts once in a run of --watch, however late the watching process reports the same signal', () => {
    jest.useFakeTimers();
    process.env[WATCHED] = '1';
    const calls = listen();
    signal();
    jest.advanceTimersByTime(5000);
    process.emit('message', { [PRESSES]: 1, signal: 'SIGINT' }, undefined);
    expect(calls).toEqual(['draining', 'drain 8000']);
    process.emit('message', { [PRESSES]: 2, signal: 'SIGINT' }, undefined);
    expect(calls).toEqual(['draining', 'drain 8000', 'aborting', 'cancel']);
  });
});
