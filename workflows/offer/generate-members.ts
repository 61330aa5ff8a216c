/**
 * Writes a member file of any size from a seed, with the schema of OfferWorkFlow's input. As in real files, it has
 * missing fields, CRLF, repeated members, and members with two rows in one second.
 *
 * `node dist/workflows/offer/generate-members.js --rows 4000 --seed 7 --out members.csv`
 */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from 'millrace';
import { MEMBER_COLUMNS } from './transaction.js';

export interface MemberFileOptions {
  readonly rows: number;
  readonly seed: number;
  /** The number of different members. Default: one per five rows. */
  readonly members?: number;
}

const TYPES = ['buy', 'gift', 'redeem'] as const;
const FIRST_MOMENT = Date.UTC(2018, 0, 1);
const LAST_MOMENT = Date.UTC(2025, 2, 1);
/** One row in this many lacks fields; one in ten of those lacks its member. */
const MISSING_EVERY = 40;

/** The lines of the file, header first, each with its CRLF. */
export function* memberLines({ rows, seed, members = Math.ceil(rows / 5) }: MemberFileOptions): Generator<string> {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  yield `${MEMBER_COLUMNS.join(',')}\r\n`;
  let member = '';
  let moment = '';
  for (let row = 0; row < rows; row++) {
    // Sometimes a member has two rows in one second: then the later row counts as the more recent.
    const isSameSecond = row > 0 && below(50) === 0;
    if (!isSameSecond) {
      member = memberId(below(members));
      moment = momentAt(FIRST_MOMENT + below((LAST_MOMENT - FIRST_MOMENT) / 1000) * 1000);
    }
    const type = TYPES[below(TYPES.length)] as (typeof TYPES)[number];
    const points = (below(100) + 1) * 100 * (type === 'redeem' ? -1 : 1);
    const revenue = type === 'redeem' ? 0 : points / (50 * (below(20) + 1));
    if (below(MISSING_EVERY) > 0) yield `${member},${moment},${type},${points},${revenue}\r\n`;
    else if (below(10) > 0) yield `${member},,,,\r\n`;
    else yield `,${moment},${type},${points},${revenue}\r\n`;
  }
}

/** `YYYY-MM-DD HH:MM:SS`, UTC. */
function momentAt(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/** Eight hexadecimal digits that hide the number behind them. */
function memberId(number: number): string {
  return (Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(16).toUpperCase().padStart(8, '0');
}

/** Writes the file, at the speed of the disk. */
export async function writeMemberFile(path: string, options: MemberFileOptions): Promise<void> {
  const file = createWriteStream(path);
  await once(file, 'open');
  let chunk = '';
  for (const line of memberLines(options)) {
    chunk += line;
    if (chunk.length < 65_536) continue;
    if (!file.write(chunk)) await once(file, 'drain');
    chunk = '';
  }
  file.end(chunk);
  await once(file, 'finish');
}

const USAGE = `node dist/workflows/offer/generate-members.js --out <file> [--rows 4000] [--seed 7] [--members <n>]`;

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string', default: '4000' },
      seed: { type: 'string', default: '7' },
      members: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  // No default, so that the sample data is not overwritten by accident.
  if (values.out === undefined) throw new TypeError('Expected --out, the file to write');
  await writeMemberFile(values.out, {
    rows: countOf('--rows', values.rows),
    seed: countOf('--seed', values.seed),
    ...(values.members === undefined ? {} : { members: countOf('--members', values.members) }),
  });
}

function countOf(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new TypeError(`Expected ${name} to be a whole number, got '${text}'`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    process.exitCode = 2;
  });
}
