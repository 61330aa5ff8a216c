/** The Nexmark queries as workflows have the results of a batch over the same events, also when these come in disorder. */
import { describe, expect, it } from '@jest/globals';
import { seededRandom } from 'millrace';
import { recordingDeadLetters, virtualClock } from 'millrace/testing';
import { nexmarkEvents, type Bid, type NexmarkEvent } from '../../examples/nexmark/events.js';
import { q12, QUERIES, type QueryInput } from '../../examples/nexmark/queries.js';
import { isLong } from '../support/long.js';
import { BATCHES, perArrival } from './nexmark-batch.js';

const SEEDS = Number(process.env['NEXMARK_SEEDS'] ?? (isLong ? 60 : 3));
const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);

function drawn(seed: number): { readonly events: NexmarkEvent[]; readonly disorderMs: number } {
  const random = seededRandom(seed);
  const count = 100 + Math.floor(random() * 500);
  const disorderMs = Math.floor(random() * 3000);
  return { events: nexmarkEvents({ seed, count, everyMs: 10 + Math.floor(random() * 300), disorderMs }), disorderMs };
}

/** Averages are sums in another order, which may differ in the last bits. */
function asTexts(records: readonly unknown[]): string[] {
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toPrecision(12)) : value;
  return records.map((record) => JSON.stringify(record, rounded)).sort();
}

async function resultsOf(name: keyof typeof QUERIES, input: QueryInput, window: number): Promise<unknown[]> {
  const deadLetters = recordingDeadLetters();
  const run = (QUERIES[name] as typeof QUERIES.q0)(input).run(undefined, { window, deadLetters });
  const results: unknown[] = [];
  run.output$('Result').subscribe((result) => results.push(result));
  await run.finished;
  expect(deadLetters.letters).toEqual([]);
  return results;
}

describe.each(Object.keys(BATCHES) as (keyof typeof BATCHES)[])('Nexmark %s', (name) => {
  it('has the results of a batch', async () => {
    let found = 0;
    for (const seed of seeds) {
      const { events, disorderMs } = drawn(seed);
      const results = await resultsOf(name, { events: () => events, disorderMs }, 1 + (seed % 3) * 200);
      expect([seed, asTexts(results)]).toEqual([seed, asTexts(BATCHES[name](events))]);
      found += results.length;
    }
    expect(found).toBeGreaterThan(0);
  });
});

describe('Nexmark q12', () => {
  it('has the results of a batch over the times of arrival', async () => {
    for (const seed of seeds) {
      const { events, disorderMs } = drawn(seed);
      const clock = virtualClock();
      const random = seededRandom(seed);
      const arrivals: [Bid, number][] = [];
      async function* arriving(): AsyncGenerator<NexmarkEvent> {
        for (const event of events) {
          if (random() < 0.3) {
            await new Promise<void>((resolve) => {
              clock.schedule(random() * 1000, resolve);
            });
          }
          if (event.kind === 'bid') arrivals.push([event, clock.now()]);
          yield event;
        }
      }
      const run = q12({ events: arriving, disorderMs }).run(undefined, { clock });
      const results: unknown[] = [];
      run.output$('Result').subscribe((result) => results.push(result));
      await clock.runUntil(run.finished);
      expect([seed, asTexts(results)]).toEqual([seed, asTexts(perArrival(arrivals))]);
    }
  });
});
