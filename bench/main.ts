/**
 * `npm run bench`: executes the cases in sequence and prints their findings as ratios; or measures curves over the
 * length of the input. It is not a test: a missed goal is printed and has no other effect. The exit code is 2 for an
 * invalid command line, and 1 if a case could not be measured.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArguments, UsageError, type BenchArguments } from './arguments.js';
import { CaseSkipped, type BenchSettings } from './case.js';
import { CASES } from './cases.js';
import { measureCurve, type CurveFinding } from './curve.js';
import { CURVES } from './curves.js';
import { memoryChart, rateChart } from './curve-charts.js';
import { ratioChart } from './ratio-chart.js';
import { renderCurve, renderFinding, renderList, rowOf, type ReportRow } from './report.js';

try {
  const given = parseArguments(process.argv.slice(2), {
    cases: CASES.map(({ name }) => name),
    slow: CASES.filter(({ isSlow }) => isSlow === true).map(({ name }) => name),
    curves: CURVES.map(({ name }) => name),
  });
  if (given.isList) console.log(renderList(given.isCurves ? CURVES : CASES));
  else await run(given);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

async function run(given: BenchArguments): Promise<void> {
  const { isQuick, isCurves, json, svg } = given;
  console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`);
  console.log('Medians; in brackets the smallest and the largest sample.');
  if (isQuick) console.log('Quick: smaller sizes and fewer rounds, so goals are not judged.');
  if (svg !== undefined) mkdirSync(svg, { recursive: true });
  const draw = (name: string, chart: string): void => {
    if (svg !== undefined) writeFileSync(join(svg, `${name}.svg`), chart);
  };
  const findings = isCurves ? await runCurves(given, draw) : await runCases(given, draw);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(findings, undefined, 2)}\n`);
}

type Draw = (name: string, chart: string) => void;

async function runCases({ names, isQuick }: BenchArguments, draw: Draw): Promise<readonly ReportRow[]> {
  const settings: BenchSettings = { isQuick, progress: showProgress };
  const rows: ReportRow[] = [];
  for (const benchCase of CASES.filter(({ name }) => names.includes(name))) {
    await attempt(benchCase.name, async () => {
      const finding = await benchCase.run(settings);
      rows.push(rowOf(benchCase, finding, isQuick));
      return renderFinding(benchCase, finding, isQuick);
    });
  }
  draw('ratios', ratioChart(rows));
  return rows;
}

async function runCurves({ names, isQuick }: BenchArguments, draw: Draw): Promise<readonly CurveFinding[]> {
  const settings: BenchSettings = { isQuick, progress: showProgress };
  const findings: CurveFinding[] = [];
  for (const curve of CURVES.filter(({ name }) => names.includes(name))) {
    await attempt(curve.name, async () => {
      const finding = await measureCurve(curve, settings);
      findings.push(finding);
      draw(finding.name, rateChart(finding));
      draw(`${finding.name}-memory`, memoryChart(finding));
      return renderCurve(finding);
    });
  }
  return findings;
}

/** Prints the finding, or the reason why there is none. */
async function attempt(name: string, measure: () => Promise<string>): Promise<void> {
  showProgress(name);
  try {
    const text = await measure();
    clearProgress();
    console.log(text);
  } catch (error) {
    clearProgress();
    if (error instanceof CaseSkipped) {
      console.log(`${name}: skipped. ${error.message}`);
      return;
    }
    console.error(`${name}: not measured. ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

/** Shows one line that changes on a terminal; prints nothing elsewhere. */
function showProgress(message: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
