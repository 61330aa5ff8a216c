/** What the kill test kills: a workflow of the package over a mock server of its own, and one made to be killed. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { memberLines } from '#workflows/offer/generate-members.js';
import type { Victim } from './kill-test.js';

const MOCK_SERVER = fileURLToPath(import.meta.resolve('#mock-server/main.js'));
const STATE_FLOW = fileURLToPath(new URL('./state-flow.js', import.meta.url));
const FILES_FLOW = fileURLToPath(new URL('./files-flow.js', import.meta.url));
const KILL_FLOW = fileURLToPath(new URL('./kill-flow.js', import.meta.url));

/** OfferWorkFlow, asking a server that lives through the kills. Files are made in `folder`. */
export function offerVictim(folder: string, url: string, members: number): Victim {
  const input = join(folder, 'members.csv');
  writeFileSync(input, [...memberLines({ rows: members * 5, members, seed: 11 })].join(''));
  const config = join(folder, 'offer.json');
  writeFileSync(
    config,
    JSON.stringify({
      csv_path: input,
      ats_url: `${url}/ml/ats/predict`,
      resp_url: `${url}/ml/resp/predict`,
      offer_url: `${url}/offer/assign`,
      result_output_path: 'result.csv',
      performance_output_path: 'performance.json',
      as_of: '2025-03-14T21:25:33Z',
      window: 256,
    }),
  );
  return {
    name: 'OfferWorkFlow',
    args: ['--workflow', 'OfferWorkFlow', '--config', config],
    outputs: ['result.csv'],
    letters: 'result.csv.dead-letters.ndjson',
  };
}

/** KillFlow over `rows` numbers. Files are made in `folder`. */
export function killFlowVictim(folder: string, rows: number): Victim {
  const input = join(folder, 'numbers.csv');
  const lines = Array.from({ length: rows }, (_, n) => (n % 211 === 7 ? 'not a number' : String(n)));
  writeFileSync(input, ['n', ...lines, ''].join('\n'));
  const settings = { input, middle: 'middle.csv', packed: 'packed.csv.gz', end: 'end.csv' };
  return {
    name: 'KillFlow',
    args: [
      '--workflow',
      KILL_FLOW,
      ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ],
    outputs: ['middle.csv', 'packed.csv.gz', 'end.csv'],
    letters: 'dead-letters.ndjson',
  };
}

/** StateFlow over `rows` numbers. Files are made in `folder`. */
export function stateFlowVictim(folder: string, rows: number): Victim {
  const input = join(folder, 'state-numbers.csv');
  const names = join(folder, 'names.csv');
  const setting = join(folder, 'setting.csv');
  writeFileSync(input, ['n', ...Array.from({ length: rows }, (_, n) => String(n)), ''].join('\n'));
  writeFileSync(names, ['key,name', ...Array.from({ length: 20 }, (_, key) => `${key},name ${key}`), ''].join('\n'));
  writeFileSync(setting, 'n\n42\n');
  const settings = { input, names, setting, healed: 'healed' };
  return {
    name: 'StateFlow',
    args: [
      '--workflow',
      STATE_FLOW,
      ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ],
    outputs: [
      'checked.csv',
      'pieces.csv',
      'totals.csv',
      'pairs.csv',
      'seen.csv',
      'counted.csv',
      'tallied.csv',
      'listed.csv',
      'windows.csv',
      'late.csv',
      'routed.csv',
      'enriched.csv',
    ],
    letters: 'dead-letters.ndjson',
    isUnordered: true,
    heals: 'healed',
  };
}

/** FilesFlow over `rows` records in five files, two of them packed. Files are made in `folder`. */
export function filesVictim(folder: string, rows: number): Victim {
  const input = join(folder, 'in');
  mkdirSync(input, { recursive: true });
  for (const [index, name] of ['a.ndjson', 'b.ndjson.gz', 'c.ndjson', 'd.ndjson', 'e.ndjson.gz'].entries()) {
    // Files of different sizes, the last one of a few rows.
    const count = index === 4 ? 3 : Math.ceil(rows / 4);
    const lines = Array.from({ length: count }, (_, n) =>
      n % 211 === 7 ? '{"not": a record}' : JSON.stringify({ file: name, n, text: `row ${n}`.repeat(5) }),
    );
    const text = [...lines, ''].join('\n');
    writeFileSync(join(input, name), name.endsWith('.gz') ? gzipSync(text) : text);
  }
  const settings = { input: join(input, '*.ndjson*'), plain: 'plain.ndjson', packed: 'packed.ndjson.gz' };
  return {
    name: 'FilesFlow',
    args: [
      '--workflow',
      FILES_FLOW,
      ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ],
    outputs: ['plain.ndjson', 'packed.ndjson.gz'],
    letters: 'dead-letters.ndjson',
  };
}

/** The mock server in a process of its own; `stop` ends it. */
export async function startMockServer(): Promise<{ url: string; stop: () => void }> {
  const child = spawn(process.execPath, [MOCK_SERVER, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => {
      reject(new Error('The mock server ended before it listened'));
    });
    createInterface(child.stdout).once('line', resolve);
  });
  const url = /http:\/\/[^\s]+/.exec(line)?.[0];
  if (url === undefined) throw new Error(`Expected the mock server to say where it listens, got: ${line}`);
  return { url, stop: () => child.kill() };
}
