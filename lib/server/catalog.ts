/**
 * The workflows of the folder of a server. A separate process describes them, because loading a workflow runs its file,
 * which must not end or block the server.
 *
 * Guarantees: a description that takes too long is given up; while a file does not load, the last good description of
 * its workflow stays.
 */
import { execFile } from 'node:child_process';
import { statSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describeThrown } from '../model/errors.js';
import type { DescribedWorkflows, WorkflowFacts } from '../jobs/workflows/describe-workflows.js';

export interface CatalogOptions {
  /** The current folder of the server, absolute. */
  readonly folder: string;
  /** The script of the command line. */
  readonly script: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const MOST_MS = 20_000;
const MOST_BYTES = 16 * 2 ** 20;
/** The most files that are checked for changes. Folders of workflows are small. */
const MOST_FILES = 2000;

export class Catalog {
  private readonly options: CatalogOptions;
  private known = new Map<string, WorkflowFacts>();
  private seen = '';
  /** One sentence per file that did not load. */
  problems: readonly string[] = [];
  /** Whether the workflows were described once. */
  isDescribed = false;

  constructor(options: CatalogOptions) {
    this.options = options;
  }

  /** Sorted by name. */
  get workflows(): readonly WorkflowFacts[] {
    return [...this.known.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  workflow(name: string): WorkflowFacts | undefined {
    return this.known.get(name);
  }

  /** Describes the workflows again if their files have changed. Returns whether they were described. */
  async refresh(): Promise<boolean> {
    const seen = this.look();
    if (seen === this.seen) return false;
    const described = await this.describe();
    // If some workflows could not be described, the next call tries again.
    if (described.isComplete) {
      this.seen = seen;
      this.isDescribed = true;
    }
    const old = described.problems.length === 0 ? [] : [...this.known];
    this.known = new Map([...old, ...described.workflows.map((facts) => [facts.name, facts] as const)]);
    this.problems = described.problems;
    return true;
  }

  private describe(): Promise<DescribedWorkflows & { readonly isComplete: boolean }> {
    const { script, folder, environment } = this.options;
    return new Promise((resolve) => {
      const words = [script, 'list', '--json'];
      const limits = { timeout: MOST_MS, maxBuffer: MOST_BYTES, killSignal: 'SIGKILL' } as const;
      execFile(
        process.execPath,
        words,
        { cwd: folder, env: { ...environment }, ...limits },
        (error, stdout, stderr) => {
          try {
            resolve({ ...(JSON.parse(stdout) as DescribedWorkflows), isComplete: true });
          } catch {
            const why =
              error?.killed === true ? `it took more than ${MOST_MS / 1000} s` : stderr.trim() || describeThrown(error);
            resolve({ workflows: [], problems: [`The workflows cannot be described: ${why}`], isComplete: false });
          }
        },
      );
    });
  }

  /** The names and times of the files in the folder of workflows, as one text. */
  private look(): string {
    const folder = join(this.options.folder, 'workflows');
    try {
      const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
        (name) => !name.includes('node_modules'),
      );
      const facts = names.slice(0, MOST_FILES).map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
      return `${names.length}\n${facts.join('\n')}`;
    } catch {
      return 'none';
    }
  }
}
