/**
 * `npm run bench`: runs the cases one after the other and prints what they find, as ratios of one run. Not a test: a
 * figure that misses its goal is printed as such and nothing more. Exits with 2 for a command line it does not
 * understand, and with 1 where a case could not be measured at all.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArguments, UsageError, type BenchArguments } from './arguments.js';
import type { BenchSettings } from './case.js';
import { CASES } from './cases.js';
import { renderFinding, renderList, rowOf, type ReportRow } from './report.js';

try {
  const given = parseArguments(
    process.argv.slice(2),
    CASES.map(({ name }) => name),
  );
  if (given.isList) console.log(renderList(CASES));
  else await runCases(given);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

async function runCases({ names, isQuick, json }: BenchArguments): Promise<void> {
  const settings: BenchSettings = { isQuick, progress: showProgress };
  const rows: ReportRow[] = [];
  console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`);
  console.log('Medians; in brackets the smallest and the largest sample.');
  if (isQuick) console.log('Quick: smaller sizes and fewer rounds, so goals are not judged.');
  for (const benchCase of CASES.filter(({ name }) => names.includes(name))) {
    showProgress(benchCase.name);
    try {
      const finding = await benchCase.run(settings);
      clearProgress();
      console.log(renderFinding(benchCase, finding, isQuick));
      rows.push(rowOf(benchCase, finding, isQuick));
    } catch (error) {
      clearProgress();
      console.error(`${benchCase.name}: not measured. ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, undefined, 2)}\n`);
}

/** One line that changes on a terminal; nothing where nobody watches. */
function showProgress(message: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
