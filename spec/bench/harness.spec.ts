/** The pure parts of the benchmark: its arithmetic, its command line and what it writes. Nothing is measured here. */
import { describe, expect, it } from '@jest/globals';
import { parseArguments, UsageError } from '#bench/arguments.js';
import { describeGoal, meets, type BenchCase, type Goal } from '#bench/case.js';
import { findingOf, ratesOf } from '#bench/harness.js';
import { figure, renderCurve, renderFinding, renderList, rowOf } from '#bench/report.js';
import { median, ratioOf, ratioSpread, spreadOf } from '#bench/statistics.js';

const goal: Goal = { on: 'ratio', is: 'at least', than: 10 };
const unmeasured: BenchCase = {
  name: 'a-vs-b',
  description: 'a against b',
  goal,
  run: () => Promise.reject(new Error('not measured in a test')),
};
const words = { unit: 'records/s', against: 'b' };

describe('the arithmetic', () => {
  it('takes the middle sample, or the mean of the two middle ones', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 2, 100])).toBe(3);
    expect(median([7])).toBe(7);
  });

  it('sorts numbers as numbers, and leaves the samples as they were taken', () => {
    const samples = [100, 9, 20];
    expect(median(samples)).toBe(20);
    expect(samples).toEqual([100, 9, 20]);
  });

  it('reports the smallest and the largest sample', () => {
    expect(spreadOf([3, 1, 2])).toEqual([1, 3]);
  });

  it.each([median, spreadOf])('has nothing to say about no samples', (statistic) => {
    expect(() => statistic([])).toThrow(RangeError);
  });

  it('puts ours over theirs, so that twice the rate is 2', () => {
    expect(ratioOf([200, 190, 210], [100, 95, 120])).toBe(2);
  });

  it('compares neighbours in time: a machine that slows down for both is no noise', () => {
    expect(ratioSpread([200, 100, 50], [100, 50, 25])).toEqual([2, 2]);
  });

  it('uses the last sample of a peer that sat a round out', () => {
    expect(ratioSpread([100, 200, 300], [100, 50])).toEqual([1, 6]);
  });

  it('makes rates of durations: half the time is twice the rate', () => {
    const sample = (elapsedMs: number) => ({ elapsedMs, cpuMs: 0, maxRssKb: 0, loopDelayMs: 0, checksum: 0 });
    expect(ratesOf([sample(500), sample(250)], 1000)).toEqual([2000, 4000]);
  });
});

describe('goals', () => {
  it('are met from below or from above, on the ratio or on the value', () => {
    expect(meets(goal, { ratio: 10, value: 0 })).toBe(true);
    expect(meets(goal, { ratio: 9.99, value: 1000 })).toBe(false);
    expect(meets({ on: 'value', is: 'at most', than: 0.6 }, { ratio: 14, value: 0.6 })).toBe(true);
    expect(meets({ on: 'value', is: 'at most', than: 0.6 }, { ratio: 0.1, value: 0.61 })).toBe(false);
    expect(meets(undefined, { ratio: 1, value: 1 })).toBeUndefined();
  });

  it('read as one would write them', () => {
    expect(describeGoal(goal)).toBe('goal ≥ 10 ×');
    expect(describeGoal({ on: 'value', is: 'at most', than: 0.6, unit: 's' })).toBe('goal ≤ 0.6 s');
    expect(describeGoal(undefined)).toBe('no goal');
  });
});

describe('the command line', () => {
  const cases = ['offer-vs-rxjs-100k', 'offer-vs-limit', 'cli-first-record'];
  const known = { cases, curves: ['offer-graph', 'sync-chain'] };
  const defaults = { isQuick: false, isList: false, isCurves: false, json: undefined, svg: undefined };

  it('runs everything without a name', () => {
    expect(parseArguments([], known)).toEqual({ ...defaults, names: cases });
  });

  it('runs what is named, once, in the order of the cases', () => {
    const { names } = parseArguments(['cli-first-record', 'offer-vs-limit', 'offer-vs-limit'], known);
    expect(names).toEqual(['offer-vs-limit', 'cli-first-record']);
  });

  it('takes its options anywhere', () => {
    expect(parseArguments(['--quick', 'offer-vs-limit', '--json', 'out.json'], known)).toEqual({
      ...defaults,
      names: ['offer-vs-limit'],
      isQuick: true,
      json: 'out.json',
    });
    expect(parseArguments(['--list'], known).isList).toBe(true);
  });

  it('measures curves where they are asked for, and draws', () => {
    const drawn = { ...defaults, isCurves: true, svg: 'charts' };
    expect(parseArguments(['--curves', '--svg', 'charts'], known)).toEqual({ ...drawn, names: known.curves });
    expect(parseArguments(['sync-chain', '--curves'], known).names).toEqual(['sync-chain']);
    expect(() => parseArguments(['--curves', 'offer-vs-limit'], known)).toThrow("There is no curve 'offer-vs-limit'");
  });

  it('leaves slow cases out of a quick run, unless they are named', () => {
    const slow = { ...known, slow: ['offer-vs-limit'] };
    expect(parseArguments([], slow).names).toEqual(cases);
    expect(parseArguments(['--quick'], slow).names).toEqual(['offer-vs-rxjs-100k', 'cli-first-record']);
    expect(parseArguments(['--quick', 'offer-vs-limit'], slow).names).toEqual(['offer-vs-limit']);
  });

  it('names the case that was probably meant', () => {
    expect(() => parseArguments(['offer-vs-limits'], known)).toThrow("Did you mean 'offer-vs-limit'?");
    expect(() => parseArguments(['offer'], known)).toThrow("'offer-vs-rxjs-100k' or 'offer-vs-limit'?");
  });

  it.each([[['--jsn', 'x']], [['--json']], [['--json', '']], [['--svg', '']], [['nothing-like-it-at-all']]])(
    'refuses %j',
    (argv) => {
      expect(() => parseArguments(argv, known)).toThrow(UsageError);
    },
  );
});

describe('what is written', () => {
  const finding = findingOf([1200, 1000, 1100], [100, 105, 95], words);

  it('is one row a case, with the goal as a number and whether it is met', () => {
    expect(JSON.parse(JSON.stringify(rowOf(unmeasured, finding, false)))).toEqual({
      name: 'a-vs-b',
      value: 1100,
      unit: 'records/s',
      against: 'b',
      againstValue: 100,
      ratio: 11,
      goal: 10,
      goalOn: 'ratio',
      goalIs: 'at least',
      met: true,
      spread: { value: [1000, 1200], against: [95, 105], ratio: [1000 / 105, 12] },
      samples: { value: 3, against: 3 },
      isQuick: false,
    });
  });

  it('says null where there is no goal, and judges no quick run', () => {
    const { goal: _, ...rest } = unmeasured;
    expect(rowOf(rest, finding, false)).toMatchObject({ goal: null, goalOn: null, goalIs: null, met: null });
    expect(rowOf(unmeasured, finding, true)).toMatchObject({ goal: 10, met: null, isQuick: true });
  });

  it('shows ratio, spread, goal and verdict to a person', () => {
    const text = renderFinding(unmeasured, { ...finding, note: 'b is slow' }, false);
    expect(text.split('\n')).toEqual([
      'a-vs-b: 11 × (9.52–12), goal ≥ 10 × – met',
      '    ours: 1,100 records/s (1,000–1,200; 3 samples)',
      '    b: 100 records/s (95–105; 3 samples)',
      '    note: b is slow',
    ]);
    expect(renderFinding(unmeasured, { ...finding, ratio: 9 }, false)).toContain('– missed');
    expect(renderFinding(unmeasured, finding, true)).toContain('not judged');
  });

  it('lists names with a line and the goal', () => {
    expect(renderList([unmeasured])).toBe('a-vs-b  a against b (goal ≥ 10 ×)');
  });

  it('is a line a side and size of a curve', () => {
    const point = { side: 'a', records: 10_000, rate: 2000, spread: [1900, 2100] as const, samples: 3, peakMiB: 88.8 };
    const text = renderCurve({ name: 'a-curve', description: 'a and b', points: [point, { ...point, side: 'bee' }] });
    expect(text.split('\n')).toEqual([
      'a-curve: a and b',
      '        10,000  a         2,000 records/s (1,900–2,100; 3 samples), peak 88.8 MiB',
      '        10,000  bee       2,000 records/s (1,900–2,100; 3 samples), peak 88.8 MiB',
    ]);
  });

  it('rounds to what can be trusted', () => {
    expect([figure(411_234), figure(12.345), figure(0.01234), figure(3)]).toEqual(['411,000', '12.3', '0.0123', '3']);
  });
});
