/**
 * Kills real runs that write to PostgreSQL with SIGKILL, resumes them until they are done, and counts the rows. Three
 * kills by default, MILLRACE_POSTGRES_KILLS of them in the long form; each tenth kill also crashes the server.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { seededRandom } from 'millrace';
import { describeWithPostgres } from '../../support/describe-with-postgres.js';
import { PostgresServer } from '../../support/postgres-server.js';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const FLOW = fileURLToPath(new URL('./modules/copy-flow.js', import.meta.url));
const ROWS = 20_000;
const KILLS = Number(process.env['MILLRACE_POSTGRES_KILLS'] ?? 3);
const LIMIT_MS = 60_000 + KILLS * 10_000;
const CRASH_EVERY = 10;

describeWithPostgres('runs that copy a table and are killed', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
    await server.sql(`CREATE TABLE numbers (id bigint PRIMARY KEY, name text);
      INSERT INTO numbers SELECT n * 3, 'number ' || n FROM generate_series(0, ${ROWS - 1}) AS n`);
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  /** Starts the command, and kills it after this time. Resolves with its exit code, or null. */
  const run = (folder: string, args: readonly string[], killAfterMs: number): Promise<number | null> => {
    const child = spawn(process.execPath, [CLI, ...args, '--quiet'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let problem = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (problem += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    return new Promise((resolve, reject) => {
      child.once('close', (code) => {
        clearTimeout(timer);
        if (code === null || code === 0 || code === 3) resolve(code);
        else reject(new Error(`The run ended with code ${code}: ${problem}`));
      });
    });
  };

  it(
    `write each row once, over ${KILLS} kills`,
    async () => {
      const seed = Date.now() % 100_000;
      const random = seededRandom(seed);
      let kills = 0;
      for (let runs = 0; kills < KILLS; runs++) {
        const mode = (['copy', 'insert'] as const)[runs % 2] as string;
        await server.sql('DROP TABLE IF EXISTS copies; CREATE TABLE copies (id bigint, name text, CHECK (id <> 2100))');
        const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
        const settings = ['--set', `port=${server.port}`, '--set', `mode=${mode}`];
        let args: readonly string[] = ['run', '--workflow', FLOW, ...settings];
        try {
          for (;;) {
            const isLast = kills >= KILLS;
            const code = await run(folder, args, isLast ? LIMIT_MS : 400 + random() * 2200);
            if (code !== null) break;
            kills++;
            if (kills % CRASH_EVERY === 0) {
              await server.crash();
              await server.begin();
            }
            const runsFolder = join(folder, '.millrace/runs');
            const [id] = existsSync(runsFolder) ? readdirSync(runsFolder) : [];
            const kept = join(runsFolder, id ?? '');
            const summary = join(kept, 'summary.json');
            // Killed when all was done, but for the end of the process.
            if (existsSync(summary) && readFileSync(summary, 'utf8').includes('"outcome": "completed"')) break;
            if (id !== undefined && existsSync(join(kept, 'manifest.json'))) args = ['resume', id];
            else rmSync(join(folder, '.millrace'), { recursive: true, force: true });
          }
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
        const [got] = await server.sql(
          `SELECT count(*)::int AS rows, count(DISTINCT c.id)::int AS different, count(*) FILTER (WHERE n.id IS NULL)::int AS unknown
        FROM copies c LEFT JOIN numbers n ON n.id = c.id AND n.name = c.name`,
        );
        // One row is refused by the constraint.
        expect({ seed, kills, ...got }).toEqual({ seed, kills, rows: ROWS - 1, different: ROWS - 1, unknown: 0 });
      }
      expect(kills).toBe(KILLS);
    },
    LIMIT_MS,
  );
});
