/** The explanation of a run as a section of its report: one table per question. */
import { grouped } from '../../text/printable.js';
import { crashText, type Explanation } from './explanation.js';
import { html, type Html } from './html.js';
import { duration, figure, mebibytes } from './in-words.js';
import { table } from './table.js';

/** The most rows of a table. `explain` prints all of them. */
const MOST_ROWS = 200;

export function explanationView({
  run,
  criticalPath: { tasks, recordMs, busiest },
  memory,
  memoryPeakBytes,
  obstacle,
  afterCrash,
  unrepeatable,
}: Explanation): Html {
  const isMeasured = run !== null;
  const ms = (value: number | null): string => (value === null ? '–' : figure(value));
  const isLarge = [tasks, memory, afterCrash].some(({ length }) => length > MOST_ROWS);
  return html`${isLarge ? html`<p>Tables have at most ${MOST_ROWS} rows; the command explain prints all.</p>` : ''}${table(
    isMeasured
      ? `Critical path: ${ms(recordMs)} ms per record, the sum of the medians of waiting and work`
      : 'Critical path: the chain with the most tasks',
    [{ title: 'task' }, { title: 'a record, ms', isNumber: true }, { title: 'busy', isNumber: true }],
    tasks.slice(0, MOST_ROWS).map((one) => ({
      isHot: one.task === busiest?.task,
      cells: [one.task, ms(one.recordMs), one.busyMs === null ? '–' : duration(one.busyMs)],
    })),
  )}
  ${busiest === null ? '' : html`<p>Busiest of all tasks: ${busiest.task}, ${duration(busiest.busyMs ?? 0)}</p>`}
  ${table(
    'Bounds of memory',
    [
      { title: 'root or task' },
      { title: 'what' },
      { title: 'at most', isNumber: true },
      { title: 'seen', isNumber: true },
    ],
    memory.slice(0, MOST_ROWS).map(({ of, what, most, seen }) => ({
      cells: [of, what, grouped(most), seen === null ? '–' : grouped(seen)],
    })),
  )}
  ${memoryPeakBytes === null ? '' : html`<p>Peak of the process: ${mebibytes(memoryPeakBytes)}</p>`}
  ${
    obstacle === null
      ? table(
          'After a crash, in a resumed run',
          [{ title: 'task' }, { title: 'what happens' }],
          afterCrash.slice(0, MOST_ROWS).map((one) => ({ cells: [one.task, crashText(one)] })),
        )
      : html`<p>The run cannot be resumed: ${obstacle}</p>`
  }
  ${
    unrepeatable.length === 0
      ? html`<p>Each read and each result can be repeated.</p>`
      : table(
          'What cannot be repeated',
          [{ title: 'task' }, { title: 'why' }],
          unrepeatable.slice(0, MOST_ROWS).map(({ task, reason }) => ({ cells: [task, reason] })),
        )
  }`;
}
