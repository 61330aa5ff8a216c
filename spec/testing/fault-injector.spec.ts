import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, sourceTask, type CircuitBreakerOptions, type Upstream } from 'millrace';
import { requestTask } from 'millrace/http';
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

async function askThroughFaults(
  options: Omit<FaultOptions, 'clock'>,
  concurrency = 64,
  breaker: CircuitBreakerOptions | false = false,
): Promise<Trial> {
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
        .task('Ask', ['Read'], requestTask({ url: 'http://model.test/', timeoutMs: 200, concurrency, breaker }))
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

  it('lets no record meet more faults than it may, also where the upstream fails by itself', async () => {
    const clock = virtualClock();
    const faults = faultInjector({ seed: 1, clock, error: 0.5, atMost: 1 });
    const met = new Map<unknown, number>();
    const inner = fakeUpstream(clock, ({ attempt, body }) => (attempt < 5 ? { status: 503 } : { body }));
    const injecting = faults.upstream(inner);
    const counting: Upstream = {
      answer: async (call) => {
        const before = faults.injected.error;
        const reply = await injecting.answer(call);
        met.set(call.body, (met.get(call.body) ?? 0) + faults.injected.error - before);
        return reply;
      },
    };
    const options = { url: 'http://model.test/', concurrency: 1, breaker: false, retry: { attempts: 6 } } as const;
    const run = defineWorkflow({
      name: 'Counting',
      build: (flow) => flow.task('Read', sourceTask(RECORDS)).task('Ask', ['Read'], requestTask(options)),
    }).run(undefined, { clock, upstream: counting });
    expect((await clock.runUntil(run.finished)).deadLettered).toBe(0);
    expect(Math.max(...met.values())).toBe(1);
    expect(faults.injected.error).toBeGreaterThan(50);
  });

  it('does the same to a second run, or to another incarnation of the first', async () => {
    const clock = virtualClock();
    const faults = faultInjector({ seed: 5, clock, error: 0.2, lostReply: 0.1, hang: 0.1 });
    const upstream = faults.upstream(fakeUpstream(clock, ({ body }) => ({ body })));
    const givenUp = async (): Promise<unknown[]> => {
      const deadLetters = recordingDeadLetters();
      const options = { url: 'http://model.test/', timeoutMs: 200, breaker: false, retry: false } as const;
      const run = defineWorkflow({
        name: 'Twice',
        build: (flow) => flow.task('Read', sourceTask(RECORDS)).task('Ask', ['Read'], requestTask(options)),
      }).run(undefined, { clock, upstream, deadLetters });
      await clock.runUntil(run.finished);
      return deadLetters.letters.map(({ record }) => record).sort();
    };
    const first = await givenUp();
    expect(first.length).toBeGreaterThan(20);
    expect(await givenUp()).toEqual(first);
  });

  it('brings a record through an outage whose attempts are taken back', async () => {
    const { outputs, letters } = await askThroughFaults({ seed: 1, error: 0.6, atMost: 2 }, 8, { failures: 3 });
    expect([outputs, letters]).toEqual([RECORDS, 0]);
  });

  it('lets a hedge through, so that it saves its record', async () => {
    const clock = virtualClock();
    const faults = faultInjector({ seed: 2, clock, slow: 0.05, slowMs: 60_000 });
    const upstream = fakeUpstream(clock, ({ body }) => ({ body, afterMs: 10 }));
    const options = { url: 'http://model.test/', concurrency: 4, retry: false, hedge: { samples: 10 } } as const;
    const run = defineWorkflow({
      name: 'Hedged',
      build: (flow) => flow.task('Read', sourceTask(RECORDS)).task('Ask', ['Read'], requestTask(options)),
    }).run(undefined, { clock, upstream: faults.upstream(upstream) });
    await clock.runUntil(run.finished);
    expect(faults.injected.slow).toBeGreaterThan(3);
    expect(upstream.calls.filter(({ isHedge }) => isHedge).length).toBeGreaterThan(0);
    expect(upstream.calls.map(({ attempt }) => attempt)).not.toContain(2);
  });

  it('gives up what meets more faults than there are attempts', async () => {
    const { outputs, letters } = await askThroughFaults({ seed: 1, error: 1 });
    expect([outputs.length, letters]).toEqual([0, RECORDS.length]);
  });

  it.each([
    [{ error: 2 }, 'Expected `error` of a faultInjector to be a number from 0 to 1, got 2'],
    [{ slow: NaN }, 'Expected `slow` of a faultInjector to be a number from 0 to 1, got NaN (number)'],
    [{ error: 0.6, hang: 0.6 }, 'Expected the shares of a faultInjector to be at most 1 together, got 1.2'],
    [{ eror: 0.5 }, 'A faultInjector has no option `eror`. Did you mean `error`?'],
    [{ seed: undefined }, 'Expected `seed` of a faultInjector to be a whole number, got undefined'],
    [{ clock: undefined }, 'Expected `clock` of a faultInjector to be an object with `now`'],
    [{ atMost: NaN }, 'Expected `atMost` of a faultInjector to be a whole number of at least 0, or Infinity, got '],
    [{ slowMs: '5' }, 'Expected `slowMs` of a faultInjector to be a finite number of at least 0, got '],
  ])('refuses %j', (options, message) => {
    const given = { seed: 1, clock: virtualClock(), ...options } as FaultOptions;
    expect(() => faultInjector(given)).toThrow(message);
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
