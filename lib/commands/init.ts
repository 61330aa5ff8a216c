/**
 * `init`: writes a small working project into an empty folder.
 *
 * Guarantees: a folder with any content except a Git repository is refused, and nothing is written into it; no file is
 * ever replaced.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { describeThrown, MillraceError } from '../model/errors.js';
import { makeFolder } from '../storage/make-folder.js';

/** The result of `git init`: a folder that holds only this counts as empty. */
const IGNORED = ['.git'];

export const initCommand: Command = {
  name: 'init',
  description: 'Write a small project into an empty folder: a workflow, its configuration and its tests',
  words: [{ name: 'folder', describe: 'Where to write it (default: the current folder)', isOptional: true }],
  options: {
    template: {
      type: 'string',
      requiresArg: true,
      describe: 'ts (default) for TypeScript, whose compiler checks what flows between tasks, or js for JavaScript',
    },
    millrace: {
      type: 'string',
      requiresArg: true,
      describe:
        'Which millrace the project depends on: a version, a folder or a .tgz file (default: what this project has)',
    },
    ...debugOptions,
  },
  run: async (args) => {
    const { projectFiles, TEMPLATES } = await import('./project-files.js');
    const shown = args.word('folder') || '.';
    const folder = resolve(shown);
    const template = args.oneOf('template', TEMPLATES) ?? 'ts';
    const millrace = dependencyOn(args.text('millrace')) ?? installedFrom(process.cwd());
    const files = projectFiles({ name: packageName(basename(folder)), template, millrace });
    try {
      const found = (
        await readdir(folder).catch((error: unknown) => nothingThere(folder, error as NodeJS.ErrnoException))
      ).filter((name) => !IGNORED.includes(name));
      if (found.length > 0) throw notEmpty(shown, found);
      for (const [path, text] of Object.entries(files)) {
        const file = join(folder, path);
        makeFolder(dirname(file));
        await writeFile(file, text, { flag: 'wx' });
      }
    } catch (error) {
      if (error instanceof MillraceError) throw error;
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot write the project to ${shown}: ${describeThrown(error)}. Name a folder that may be written`,
        { cause: error },
      );
    }
    for (const path of Object.keys(files)) process.stdout.write(`${join(shown, path)}\n`);
    const there = relative('.', folder);
    const next = [
      ...(there === '' ? [] : [`cd ${/^[\w./-]+$/.test(there) ? there : JSON.stringify(there)}`]),
      'npm install',
      'npm test',
      'npx millrace run Orders',
    ];
    process.stderr.write(`Next: ${next.join(' && ')}\n`);
    return EXIT.success;
  },
};

/** A folder that does not exist counts as empty. */
function nothingThere(folder: string, error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  if (error.code === 'ENOTDIR') throw new Error(existsSync(folder) ? 'it is a file' : 'a folder of its path is a file');
  throw error;
}

function notEmpty(folder: string, found: readonly string[]): MillraceError {
  const more = found.length > 1 ? ` and ${found.length - 1} more` : '';
  return new MillraceError(
    'MILLRACE_USAGE',
    `Expected an empty folder, got ${folder} with ${found[0] ?? ''}${more}. Nothing was written; name a new folder: init my-project`,
  );
}

/** Turns a folder or an archive into a path that is valid from the folder of the project. */
function dependencyOn(given: string | undefined): string | undefined {
  if (given === undefined || !/[\\/]|^\.|\.tgz$/.test(given) || given.includes(':')) return given;
  if (existsSync(given)) return `file:${resolve(given)}`;
  throw new MillraceError('MILLRACE_USAGE', `There is no folder or file ${given}. Check the path after --millrace`);
}

/**
 * The folder or archive from which the project at `folder`, or a project around it, has installed this package.
 * Undefined if it was not installed from a folder or an archive.
 */
function installedFrom(folder: string): string | undefined {
  const manifest = join(folder, 'package.json');
  if (!existsSync(manifest)) return dirname(folder) === folder ? undefined : installedFrom(dirname(folder));
  const { dependencies, devDependencies } = readManifest(manifest);
  const given: unknown = dependencies?.['millrace'] ?? devDependencies?.['millrace'];
  if (typeof given !== 'string' || !given.startsWith('file:')) return undefined;
  return `file:${resolve(folder, given.slice('file:'.length))}`;
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** A manifest that cannot be read has no dependencies. */
function readManifest(path: string): Manifest {
  try {
    return Object(JSON.parse(readFileSync(path, 'utf8'))) as Manifest;
  } catch {
    return {};
  }
}

/** A name that npm accepts for a package. */
function packageName(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '');
  // npm cannot install a package that has the same name as its dependency.
  return name === '' || name === 'millrace' ? 'my-workflows' : name;
}
