import { describe, expect, it } from '@jest/globals';
import { delay, of } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { asyncTask, defineWorkflow, syncTask } from 'millrace';
import { marbles, recordingTimeline, scriptedSource, virtualClock } from 'millrace/testing';

describe('marbles', () => {
  it('says what comes when: a character is a millisecond, and time can be named', () => {
    expect(marbles('a-b 1s (c|)', { a: 1, b: 2, c: 3 })).toEqual([
      { at: 0, record: 1 },
      { at: 2, record: 2 },
      { at: 1003, record: 3 },
      { at: 1003, end: true },
    ]);
  });

  it('lets a letter stand for itself, and `#` for an error', () => {
    const error = new Error('it broke');
    expect(marbles('-x#', undefined, error)).toEqual([
      { at: 1, record: 'x' },
      { at: 2, error },
    ]);
  });

  it('lets a letter stand for itself also where others are named, by whatever value', () => {
    expect(marbles<unknown>('abc(toString)', { a: 0, b: undefined }).slice(0, 4)).toEqual([
      { at: 0, record: 0 },
      { at: 1, record: undefined },
      { at: 2, record: 'c' },
      { at: 3, record: 't' },
    ]);
  });

  it("leaves the time of RxJS's own tests alone", () => {
    const seen: unknown[] = [];
    new TestScheduler((actual, expected) => void seen.push([actual, expected])).run(({ expectObservable }) => {
      marbles('a');
      expectObservable(of('x').pipe(delay(5))).toBe('-----(x|)');
    });
    const [[actual, expected]] = seen as [[readonly unknown[], readonly unknown[]]];
    expect(actual).toHaveLength(2);
    expect(actual).toEqual(expected);
  });

  it.each(['a-(b', '^a', 'a!', 'a-)'])('refuses %s, and says how one looks', (text) => {
    expect(() => marbles(text)).toThrow(/Expected a marble string such as 'a-b\|', got/);
  });

  it('scripts the inputs of a run and describes its outputs', async () => {
    const clock = virtualClock();
    const wait = (ms: number): Promise<void> => new Promise((done) => clock.schedule(ms, done));
    const run = defineWorkflow({
      name: 'Marbles',
      build: (flow) =>
        flow
          .task('Letters', scriptedSource(marbles('a--b--c|'), clock))
          .task(
            'Upper',
            ['Letters'],
            syncTask((letter: string) => letter.toUpperCase()),
          )
          .task(
            'Late',
            ['Upper'],
            asyncTask(async (letter: string) => {
              await wait({ A: 4, B: 1, C: 2 }[letter] ?? 0);
              return letter;
            }),
          ),
    }).run(undefined, { clock });
    const seen = recordingTimeline(run.output$('Late'), clock);
    await clock.runUntil(run.finished);
    expect(seen.lines).toEqual(marbles('----(AB)(C|)'));
  });

  it('shows where an output failed', async () => {
    const clock = virtualClock();
    const error = new Error('it broke');
    const run = defineWorkflow({
      name: 'Failing',
      build: (flow) =>
        flow.task('Letters', scriptedSource(marbles('a-#', undefined, error), clock)).task(
          'Upper',
          ['Letters'],
          syncTask((letter: string) => letter.toUpperCase()),
        ),
    }).run(undefined, { clock });
    const seen = recordingTimeline(run.output$('Upper'), clock);
    await expect(clock.runUntil(run.finished)).rejects.toThrow('it broke');
    expect(seen.lines).toEqual(marbles('A-#', undefined, error));
    expect(seen.lines[1]).toHaveProperty('error', error);
  });
});
