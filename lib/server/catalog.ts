/**
 * The workflows of the folder of a server. A separate process describes them, because loading a workflow runs its file,
 * which must not end or block the server.
 *
 * Guarantees: a description that takes too long is given up, and the next one has more time; while a file does not load,
 * the last good description of its workflow stays.
 */
import { execFile } from 'node:child_process';
import { statSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describeThrown } from '../model/errors.js';
import type { Explanation } from '../observe/report/explanation.js';
import type { DescribedWorkflows, WorkflowFacts } from '../jobs/workflows/describe-workflows.js';

export interface CatalogOptions {
  /** The current folder of the server, absolute. */
  readonly folder: string;
  /** The script of the command line. */
  readonly script: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The first limit of a command. Each one that takes too long doubles the limit of the next one. */
const FIRST_LIMIT_MS = 20_000;
const LONGEST_LIMIT_MS = 160_000;
/** How long an explanation is used again. */
const FRESH_MS = 10_000;
const MOST_BYTES = 16 * 2 ** 20;
/** The most files that are checked for changes. Folders of workflows are small. */
const MOST_FILES = 2000;

export class Catalog {
  private readonly options: CatalogOptions;
  private known = new Map<string, WorkflowFacts>();
  private readonly explained = new Map<
    string,
    { readonly at: number; readonly found: Promise<Explanation | string> }
  >();
  private seen = '';
  private limitMs = FIRST_LIMIT_MS;
  private isBusy = false;
  private readonly closed = new AbortController();
  /** One sentence per file that did not load. */
  problems: readonly string[] = [];
  /** Whether the workflows were described once. */
  isDescribed = false;
  /** Whether the last description is whole. Otherwise the next call of `refresh` describes the workflows again. */
  isComplete = false;

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

  /**
   * Describes the workflows again if their files have changed. Returns whether they were described. False while another
   * call describes them.
   */
  async refresh(): Promise<boolean> {
    const seen = this.look();
    if (seen === this.seen || this.isBusy) return false;
    this.isBusy = true;
    const described = await this.describe();
    this.isBusy = false;
    this.isComplete = described.isComplete;
    if (described.isComplete) {
      this.seen = seen;
      this.isDescribed = true;
    }
    const old = described.problems.length === 0 ? [] : [...this.known];
    this.known = new Map([...old, ...described.workflows.map((facts) => [facts.name, facts] as const)]);
    this.problems = described.problems;
    return true;
  }

  /**
   * The explanation of a workflow, beside the measures of its last run in `runs`; or the reason why there is none. It is at
   * most some seconds old, because a page asks again with each change on the server.
   */
  explain(workflow: string, runs: string): Promise<Explanation | string> {
    const known = this.explained.get(workflow);
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.found;
    const words = ['explain', `--workflow=${workflow}`, '--json', `--runs=${runs}`];
    const found = this.ask(words).then(({ stdout, why }) => {
      try {
        return JSON.parse(stdout) as Explanation;
      } catch {
        return why;
      }
    });
    this.explained.set(workflow, { at: performance.now(), found });
    return found;
  }

  /** Ends the processes of commands, if there are any. */
  close(): void {
    this.closed.abort();
  }

  private async describe(): Promise<DescribedWorkflows & { readonly isComplete: boolean }> {
    const { stdout, why } = await this.ask(['list', '--json']);
    try {
      return { ...(JSON.parse(stdout) as DescribedWorkflows), isComplete: true };
    } catch {
      return { workflows: [], problems: [`The workflows cannot be described: ${why}`], isComplete: false };
    }
  }

  /** Runs a command in a process of its own. Resolves with its output, and the reason why that may be missing. */
  private ask(command: readonly string[]): Promise<{ readonly stdout: string; readonly why: string }> {
    const { script, folder, environment } = this.options;
    const { limitMs } = this;
    return new Promise((resolve) => {
      const limits = { timeout: limitMs, maxBuffer: MOST_BYTES, killSignal: 'SIGKILL' } as const;
      const surroundings = { cwd: folder, env: { ...environment }, signal: this.closed.signal, ...limits };
      execFile(process.execPath, [script, ...command], surroundings, (error, stdout, stderr) => {
        const isLate = error?.killed === true;
        // The machine may be busy: a limit that is always too short would never let a run start.
        if (isLate) this.limitMs = Math.min(LONGEST_LIMIT_MS, limitMs * 2);
        else if (error === null) this.limitMs = FIRST_LIMIT_MS;
        const why = isLate ? `it took more than ${limitMs / 1000} s` : stderr.trim() || describeThrown(error);
        resolve({ stdout, why });
      });
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
