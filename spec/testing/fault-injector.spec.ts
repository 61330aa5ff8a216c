import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, requestTask, sourceTask } from 'millrace';
import { atsOf, offerOf, respOf, type Features, type Predictions } from '#mock-server/models.js';
import { OfferWorkFlow } from '#workflows/index.js';
import {
  fakeUpstream,
  faultInjector,
  recordingDeadLetters,
  recordingSink,
  virtualClock,
  type Fault,
  type FaultOptions,
} from 'millrace/testing';

const RECORDS = Array.from({ length: 200 }, (_, index) => index);
const all = { error: 0.1, reset: 0.1, hang: 0.1, lostReply: 0.1, slow: 0.1 } as const;

interface Trial {
  readonly outputs: readonly unknown[];
  readonly letters: number;
  readonly injected: Readonly<Record<Fault, number>>;
  /** What was done over there, by record. */
  readonly done: ReadonlyMap<unknown, number>;
}

async function askThroughFaults(options: Omit<FaultOptions, 'clock'>, concurrency = 64): Promise<Trial> {
  const clock = virtualClock();
  const faults = faultInjector({ clock, ...options });
  const done = new Map<unknown, number>();
  const upstream = fakeUpstream(clock, ({ body }) => {
    done.set(body, (done.get(body) ?? 0) + 1);
    return { body, afterMs: 10 };
  });
  const sink = recordingSink<unknown>();
  const deadLetters = recordingDeadLetters();
  const run = defineWorkflow({
    name: 'Faults',
    build: (flow) =>
      flow
        .task('Read', sourceTask(RECORDS))
        .task('Ask', ['Read'], requestTask({ url: 'http://model.test/', timeoutMs: 200, concurrency, breaker: false }))
        .task('Keep', ['Ask'], sink.task),
  }).run(undefined, { clock, upstream: faults.upstream(upstream), deadLetters });
  await clock.runUntil(run.finished);
  return { outputs: sink.records, letters: deadLetters.letters.length, injected: faults.injected, done };
}

describe('a fault injector before an upstream', () => {
  it('injects every kind of fault, and a run that retries comes through unharmed', async () => {
    const { outputs, letters, injected } = await askThroughFaults({ seed: 1, ...all, atMost: 3 });
    expect([outputs, letters]).toEqual([RECORDS, 0]);
    for (const count of Object.values(injected)) expect(count).toBeGreaterThan(5);
  });

  it('does the same again by the same seed, whatever the order and the id of the run', async () => {
    const first = await askThroughFaults({ seed: 7, ...all, atMost: 3 });
    const again = await askThroughFaults({ seed: 7, ...all, atMost: 3 }, 3);
    const other = await askThroughFaults({ seed: 8, ...all, atMost: 3 });
    expect(again.injected).toEqual(first.injected);
    expect(other.injected).not.toEqual(first.injected);
  });

  it('loses the reply only after the work was done', async () => {
    const { done, injected } = await askThroughFaults({ seed: 1, lostReply: 0.3, atMost: 1 });
    const times = [...done.values()].reduce((sum, count) => sum + count, 0);
    expect(times).toBe(RECORDS.length + injected.lostReply);
    expect(injected.lostReply).toBeGreaterThan(20);
  });

  it('keeps to the shares it was given', async () => {
    const { injected } = await askThroughFaults({ seed: 3, error: 0.25, atMost: 1 });
    expect(injected.error).toBeGreaterThan(30);
    expect(injected.error).toBeLessThan(70);
  });

  it('gives up what meets more faults than there are attempts', async () => {
    const { outputs, letters } = await askThroughFaults({ seed: 1, error: 1 });
    expect([outputs.length, letters]).toEqual([0, RECORDS.length]);
  });

  it.each([
    [{ error: 2 }, 'Expected `error` to be a share from 0 to 1, got 2'],
    [{ slow: NaN }, 'Expected `slow` to be a share from 0 to 1, got NaN (number)'],
    [{ error: 0.6, hang: 0.6 }, 'Expected the shares of faults to be at most 1 together, got 1.2'],
  ])('refuses %j', (shares, message) => {
    expect(() => faultInjector({ seed: 1, clock: virtualClock(), ...shares })).toThrow(message);
  });
});

describe('a fault injector around a function', () => {
  it('throws at the given share, before or after the work, and lets the others through', async () => {
    const clock = virtualClock();
    const faults = faultInjector({ seed: 5, clock, error: 0.2, lostReply: 0.1, slow: 0.1, slowMs: 60_000 });
    const done: number[] = [];
    const deadLetters = recordingDeadLetters();
    const work = (record: number): number => {
      done.push(record);
      return record;
    };
    const run = defineWorkflow({
      name: 'Around',
      build: (flow) => flow.task('Read', sourceTask(RECORDS)).task('Save', ['Read'], asyncTask(faults.around(work))),
    }).run(undefined, { clock, deadLetters });
    await clock.runUntil(run.finished);
    const { error, lostReply, slow } = faults.injected;
    expect(deadLetters.letters).toHaveLength(error + lostReply);
    expect(done).toHaveLength(RECORDS.length - error);
    expect(Math.min(error, lostReply, slow)).toBeGreaterThan(5);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(60_000);
  });
});

describe('OfferWorkFlow as it is shipped, with its upstreams in the test', () => {
  const offers = async (transport: 'http' | 'ws', seed?: number): Promise<string> => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
    const clock = virtualClock(Date.UTC(2025, 2, 14));
    const faults = faultInjector({ seed: seed ?? 0, clock, ...(seed === undefined ? {} : all), atMost: 3 });
    const upstream = fakeUpstream(clock, ({ task, body }) => {
      if (task === 'ATS Predict') return { body: { prediction: atsOf(body as Features) }, afterMs: 30 };
      if (task === 'RESP Predict') return { body: { prediction: respOf(body as Features) }, afterMs: 50 };
      return { body: { offer: offerOf(body as Predictions) }, afterMs: 10 };
    });
    const result = join(folder, 'result.csv');
    const config = {
      csv_path: 'workflows/offer/data/members.csv',
      ats_url: `${transport}://models.test/ats`,
      resp_url: `${transport}://models.test/resp`,
      offer_url: `${transport}://models.test/offer`,
      result_output_path: result,
      performance_output_path: join(folder, 'summary.json'),
      timeout_ms: 200,
    };
    const run = OfferWorkFlow.run(config, { clock, upstream: faults.upstream(upstream) });
    await clock.runUntil(run.finished);
    return readFileSync(result, 'utf8');
  };

  it('gives the same offers through faults as without, over HTTP and WebSocket', async () => {
    const expected = await offers('http');
    expect(expected.split('\n').length).toBeGreaterThan(100);
    expect(await offers('http', 1)).toBe(expected);
    expect(await offers('ws', 2)).toBe(expected);
  });
});
