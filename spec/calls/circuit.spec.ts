/** The evidence by which a circuit distinguishes a record that fails from an upstream that is down. */
import { describe, expect, it } from '@jest/globals';
import { virtualClock, type VirtualClock } from 'millrace/testing';
import { Call } from '#lib/calls/call.js';
import { Circuit } from '#lib/calls/circuit.js';
import type { FailureKind } from '#lib/calls/failure-kind.js';
import { circuitBreaker, UpstreamError, type CircuitBreakerOptions } from '#lib/index.js';

const down = (): UpstreamError => new UpstreamError('MILLRACE_NETWORK', 'gone', { blame: 'upstream', retryable: true });

interface Made {
  readonly circuit: Circuit;
  readonly clock: VirtualClock;
  readonly states: string[];
  readonly reported: string[];
  readonly downs: unknown[];
  /** What is left to be tried. */
  readonly left: { fresh: number; isInputOver: boolean; widens: boolean; readonly window: number };
  /** A failure of the record with this number. */
  fail(record: number, kind?: FailureKind, error?: unknown): void;
  /** A probe that fails. */
  probe(record: number, kind?: FailureKind): void;
  answer(isProbe?: boolean): void;
}

function make(options: CircuitBreakerOptions = {}): Made {
  const clock = virtualClock(1_700_000_000_000);
  const [states, reported, downs]: [string[], string[], unknown[]] = [[], [], []];
  const left = { fresh: 1000, isInputOver: false, widens: false, window: 2048 };
  const circuit = new Circuit(
    circuitBreaker({ failures: 3, pauseMs: 100, maxPauseMs: 400, deadlineMs: 1000, ...options }),
    clock,
    {
      upstream: 'http://ats',
      fresh: () => left.fresh,
      isInputOver: () => left.isInputOver,
      window: left.window,
      widen: () => left.widens && (left.fresh += left.window) > 0,
      onChange: (state, message) => {
        states.push(state);
        reported.push(message);
      },
      onDown: (error) => downs.push(error),
    },
  );
  const calls = new Map<number, Call<number>>();
  const callOf = (record: number): Call<number> => {
    const call = calls.get(record) ?? new Call(record, record);
    calls.set(record, call);
    return call;
  };
  const fail = (record: number, kind: FailureKind = 'silence', error: unknown = down()): void => {
    circuit.recordFailure(clock.monotonicMs(), callOf(record), kind, error);
  };
  return {
    circuit,
    clock,
    states,
    reported,
    downs,
    left,
    fail,
    probe: (record, kind) => {
      const isProbe = circuit.acquire(clock.monotonicMs());
      fail(record, kind);
      circuit.release(isProbe, clock.monotonicMs());
    },
    answer: (isProbe = false) => {
      circuit.recordAnswer(clock.monotonicMs(), clock.monotonicMs(), isProbe);
    },
  };
}

describe('a circuit', () => {
  it('reports how many records failed, and the last failure, also where it stops the run', async () => {
    const { clock, reported, downs, fail } = make();
    for (const record of [1, 2, 3]) fail(record, 'silence', new Error(`refused ${record}`));
    expect(reported).toEqual([
      'http://ats is down: 3 records in a row failed, the last with: refused 3. Records wait 100 ms',
    ]);
    await clock.advance(1000);
    expect(String(downs[0])).toContain('has been down for 1 s, so the run stops');
    expect(String(downs[0])).toContain('The last call failed with: refused 3.');
  });

  it('opens after so many records in a row, admits one probe after the pause, and closes when it is answered', async () => {
    const { circuit, clock, states, fail } = make();
    for (const record of [1, 2, 3]) fail(record);
    expect(circuit.admits).toBe(false);
    await clock.advance(100);
    expect(circuit.admits).toBe(true);
    const isProbe = circuit.acquire(100);
    expect([isProbe, circuit.admits]).toEqual([true, false]);
    circuit.recordAnswer(100, 100, isProbe);
    circuit.release(isProbe, 100);
    expect(states).toEqual(['open', 'half-open', 'closed']);
    expect(circuit.pausedMs(500)).toBe(100);
  });

  it('doubles the pause with every round of probes that fails, up to the longest pause', async () => {
    const { circuit, clock, states, fail, probe } = make();
    for (const record of [1, 2, 3]) fail(record);
    for (const pauseMs of [100, 200, 400, 400]) {
      await clock.advance(pauseMs - 1);
      expect(circuit.state).toBe('open');
      await clock.advance(1);
      expect(circuit.state).toBe('half-open');
      if (clock.monotonicMs() < 1000) probe(clock.monotonicMs());
    }
    expect(states.filter((state) => state === 'open')).toHaveLength(4);
  });

  it('counts failures of one cause once, and never opens because of a single record', () => {
    const { circuit, fail } = make();
    const one = down();
    for (const record of [1, 2, 3, 4, 5]) fail(record, 'silence', one);
    expect(circuit.state).toBe('closed');
    const other = make();
    for (let tries = 0; tries < 10; tries++) other.fail(1);
    other.fail(2);
    expect(other.circuit.state).toBe('closed');
    other.fail(3);
    expect(other.circuit.state).toBe('open');
  });

  it('counts no record that fails again after others were answered', async () => {
    const { circuit, clock, fail, answer } = make();
    for (const record of [1, 2]) fail(record);
    await clock.advance(10);
    answer();
    for (let tries = 0; tries < 5; tries++) for (const record of [1, 2]) fail(record);
    for (const record of [3, 4]) fail(record);
    expect(circuit.state).toBe('closed');
    fail(5);
    expect(circuit.state).toBe('open');
  });

  it('asks ever more records without an attempt while the upstream answers with failures of its own', async () => {
    const { circuit, clock, fail, left } = make({ deadlineMs: 60_000 });
    for (const record of [1, 2, 3]) fail(record, 'answer');
    let record = 3;
    for (const round of [4, 32, 256]) {
      await clock.advance(100);
      let admitted = 0;
      for (; circuit.admits; admitted++) circuit.acquire(clock.monotonicMs());
      expect(admitted).toBe(round);
      for (; admitted > 0; admitted--) {
        fail(++record, 'answer');
        circuit.release(true, clock.monotonicMs());
      }
    }
    left.fresh = 0;
    await clock.advance(100);
    circuit.acquire(clock.monotonicMs());
    expect(circuit.admits).toBe(false);
    circuit.stop();
  });

  it('lets records that failed make their last attempts when they alone are left, after as long as the task had worked', async () => {
    const { circuit, clock, fail, answer, probe, left, reported, downs } = make({ deadlineMs: 60_000 });
    circuit.acquire(0);
    answer();
    await clock.advance(1000);
    for (const record of [1, 2, 3]) fail(record, 'answer');
    Object.assign(left, { fresh: 0, isInputOver: true });
    while (circuit.state !== 'closed') {
      await clock.advance(100);
      if (circuit.state === 'half-open') probe(1, 'answer');
    }
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(2000);
    expect(clock.monotonicMs()).toBeLessThan(2200);
    expect([reported.at(-1), downs]).toEqual([expect.stringContaining('only failed records are left'), []]);
  });

  it('needs a longer streak after one that an answer ended, until calls succeed again', () => {
    const { circuit, fail, answer } = make({ sample: 5 });
    for (const record of [1, 2, 3]) fail(record, 'answer');
    answer();
    expect(circuit.state).toBe('closed');
    for (let record = 10; record < 21; record++) fail(record, 'answer');
    expect(circuit.state).toBe('closed');
    fail(21, 'answer');
    expect(circuit.state).toBe('open');
    // It has opened twice for nothing: each time 16 times as many answers are needed.
    const needed = 5 * 16 * 16;
    for (let answers = 1; answers < needed; answers++) answer();
    for (const record of [31, 32, 33]) fail(record, 'answer');
    expect(circuit.state).toBe('closed');
    for (let answers = 0; answers < needed; answers++) answer();
    for (const record of [41, 42, 43]) fail(record, 'answer');
    expect(circuit.state).toBe('open');
    circuit.stop();
  });

  it('opens at the latest after half a window, however long a streak was that an answer ended', () => {
    const { circuit, fail, answer, left } = make({ sample: 500 });
    for (let record = 0; record < left.window; record++) fail(record, 'answer');
    answer();
    for (let record = 1; record < left.window / 2; record++) fail(-record, 'answer');
    expect(circuit.state).toBe('closed');
    fail(-left.window, 'answer');
    expect(circuit.state).toBe('open');
    circuit.stop();
  });

  it('lets more records in while an answering streak has none left to ask, and not while nobody answers', async () => {
    for (const kind of ['answer', 'silence'] as const) {
      const { circuit, clock, fail, probe, left } = make({ deadlineMs: 60_000 });
      for (const record of [1, 2, 3]) fail(record, kind);
      Object.assign(left, { fresh: 0, widens: true });
      await clock.advance(100);
      probe(1, kind);
      expect([kind, left.fresh]).toEqual([kind, kind === 'answer' ? left.window : 0]);
      circuit.stop();
    }
  });

  it('reports the deadline once, with the name of the upstream', async () => {
    const { circuit, clock, downs, fail } = make();
    for (const record of [1, 2, 3]) fail(record);
    await clock.advance(999);
    expect(downs).toEqual([]);
    await clock.advance(1);
    expect(downs).toMatchObject([
      { code: 'MILLRACE_UPSTREAM_DOWN', message: expect.stringContaining('http://ats') as unknown },
    ]);
    circuit.stop();
    expect(clock.pending).toBe(0);
  });
});
