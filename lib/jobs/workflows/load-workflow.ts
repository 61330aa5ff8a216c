/**
 * Finds the workflow that a request names: by a registered name, by a name in the folder `workflows` of the place, or
 * by a file.
 *
 * Guarantees: registered names win; a file that does not load is reported, and hides no other; for an unknown name the
 * error names the nearest known one.
 */
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import type { Workflow } from '../../runtime/definition/workflow.js';
import { fileURLToPath } from 'node:url';
import { MillraceError, describeThrown } from '../../model/errors.js';
import { nearest, suggest } from '../../text/nearest.js';
import { fileProblem } from '../file-problem.js';
import { absolutePath, type JobPlace } from '../place.js';
import { importModule } from './import-module.js';
import { localWorkflowFiles, nameOfFile, SCRIPTS } from './workflow-files.js';
import { isTypeScript, TYPESCRIPT_EXTENSIONS } from '../../workers/typescript.js';

/**
 * The part of a workflow that jobs use. A workflow may come from another copy of this package, so its class is not
 * checked.
 */
export type LoadableWorkflow = Pick<Workflow, 'name' | 'description' | 'definition' | 'prepare'>;

export interface FoundWorkflow {
  readonly workflow: LoadableWorkflow;
  /** The name of the export. */
  readonly exportName: string;
  /** 'registered', or the path of the file. */
  readonly from: string;
}

/** The workflows of this package. A URL instead of an import, because lib does not depend on workflows. */
const REGISTERED = fileURLToPath(new URL('../../workflows/index.js', import.meta.url));

/** The workflow with this name, path, or path and `#Name`. Throws MILLRACE_UNKNOWN_WORKFLOW. */
export async function loadWorkflow(wanted: string, place: JobPlace): Promise<LoadableWorkflow> {
  return isPath(wanted) ? loadFromFile(wanted, place) : loadByName(wanted, place);
}

/**
 * The absolute paths of the files that may define this workflow: the named one, or each that has a name in the place.
 */
export function workflowFilesOf(wanted: string, place: JobPlace): readonly string[] {
  const paths = isPath(wanted) ? [pathIn(wanted, place).path] : localWorkflowFiles(place);
  return paths.map((path) => absolutePath(place, path));
}

/** Each workflow that has a name in this place, and the errors of files that did not load. */
export async function findWorkflows(place: JobPlace): Promise<{ found: FoundWorkflow[]; broken: MillraceError[] }> {
  const registered = await registeredWorkflows(place);
  const local = await localWorkflows(localWorkflowFiles(place), place);
  const known = new Set(registered.map(({ workflow }) => workflow.name));
  return {
    found: [...registered, ...local.found.filter(({ workflow }) => !known.has(workflow.name))],
    broken: local.broken,
  };
}

/**
 * The name to request each workflow of the folder `workflows` by, and the errors of files that did not load. If the
 * name belongs to a registered workflow, its file and export are returned instead.
 */
export async function findOwnWorkflows(
  place: JobPlace,
): Promise<{ names: readonly string[]; broken: readonly MillraceError[] }> {
  const registered = (await registeredWorkflows(place)).map(({ workflow }) => workflow.name);
  const { found, broken } = await localWorkflows(localWorkflowFiles(place), place);
  const names = found.map(({ workflow, exportName, from }) =>
    registered.includes(workflow.name) ? `${from}#${exportName}` : workflow.name,
  );
  return { names: [...new Set(names)], broken };
}

/** The workflows that a file exports. Throws MILLRACE_UNKNOWN_WORKFLOW if there are none, or if it does not load. */
export async function workflowsIn(path: string, place: JobPlace): Promise<FoundWorkflow[]> {
  const problem = fileProblem('workflow file', { path: absolutePath(place, path), shown: path }) ?? scriptProblem(path);
  if (problem !== undefined) throw unknown(problem);
  const found = collect(await importModule(absolutePath(place, path), path, place), path);
  if (found.length > 0) return found;
  throw unknown(`${path} exports no workflow. Export one: export const MyFlow = defineWorkflow({ … })`);
}

/** True if the request names a file; false if it names a workflow. */
export function isPath(wanted: string): boolean {
  return (
    /^\.|[\\/]|^file:/.test(wanted) ||
    [...SCRIPTS, ...TYPESCRIPT_EXTENSIONS].includes(extname(wanted.split('#')[0] ?? ''))
  );
}

async function loadFromFile(wanted: string, place: JobPlace): Promise<LoadableWorkflow> {
  const { path, name } = pathIn(wanted, place);
  const found = await workflowsIn(path, place);
  const [only, another] = found;
  if (name === undefined) {
    if (only !== undefined && another === undefined) return only.workflow;
    const names = found.map(({ exportName }) => `'${exportName}'`).join(', ');
    throw unknown(
      `${path} exports ${found.length} workflows: ${names}. Name one, such as ${path}#${only?.exportName ?? ''}`,
    );
  }
  const match = found.find((one) => one.exportName === name) ?? found.find((one) => one.workflow.name === name);
  if (match !== undefined) return match.workflow;
  const names = found.map(({ exportName }) => exportName);
  throw unknown(`${path} exports no workflow '${name}'.${suggest(name, names)}`);
}

/** The path, and the name after `#`, if there is one. */
function pathIn(wanted: string, place: JobPlace): { path: string; name: string | undefined } {
  const given = wanted.startsWith('file:') ? fileURLToPath(wanted) + new URL(wanted).hash : wanted;
  const hash = existsSync(absolutePath(place, given)) ? -1 : given.lastIndexOf('#');
  return hash === -1 ? { path: given, name: undefined } : { path: given.slice(0, hash), name: given.slice(hash + 1) };
}

async function loadByName(name: string, place: JobPlace): Promise<LoadableWorkflow> {
  const registered = await registeredWorkflows(place);
  const own = registered.find(({ workflow }) => workflow.name === name);
  if (own !== undefined) return own.workflow;
  // The file with this name is loaded first, so that the others need not be loaded.
  const files = localWorkflowFiles(place);
  const named = files.filter((file) => nameOfFile(file).toLowerCase() === name.toLowerCase());
  const others = files.filter((file) => !named.includes(file));
  const broken: MillraceError[] = [];
  const names = registered.map(({ workflow }) => workflow.name);
  for (const group of [named, others]) {
    const local = await localWorkflows(group, place);
    const match = local.found.find(({ workflow }) => workflow.name === name);
    if (match !== undefined) return match.workflow;
    names.push(...local.found.map(({ workflow }) => workflow.name));
    broken.push(...local.broken);
  }
  // A workflow may be registered, and be in the folder `workflows` too.
  const known = [...new Set(names)];
  const unloaded = broken.map((error) => ` ${describeThrown(error)}.`).join('');
  throw unknown(
    `There is no workflow '${name}'.${suggest(name, known)}${knownAfter(name, known)}${unloaded} Or name a file, such as ./my-flow.js`,
  );
}

/** The list of names, if the suggestion is only the nearest of several. */
function knownAfter(name: string, names: readonly string[]): string {
  return nearest(name, names) === undefined ? '' : ` Known: ${names.map((known) => `'${known}'`).join(', ')}.`;
}

async function registeredWorkflows(place: JobPlace): Promise<FoundWorkflow[]> {
  if (!existsSync(REGISTERED)) return [];
  return collect(await importModule(REGISTERED, REGISTERED, place), 'registered');
}

async function localWorkflows(
  files: readonly string[],
  place: JobPlace,
): Promise<{ found: FoundWorkflow[]; broken: MillraceError[] }> {
  const found: FoundWorkflow[] = [];
  const broken: MillraceError[] = [];
  for (const file of files) {
    try {
      found.push(...collect(await importModule(absolutePath(place, file), file, place), file));
    } catch (error) {
      broken.push(error as MillraceError);
    }
  }
  return { found, broken };
}

/** The workflows among the exports, each once; for a CommonJS module also those inside `module.exports`. */
function collect(exports: Readonly<Record<string, unknown>>, from: string): FoundWorkflow[] {
  const { default: byDefault, ...named } = exports;
  const inside = typeof byDefault === 'object' && byDefault !== null && !isWorkflow(byDefault) ? byDefault : {};
  const found = new Map<LoadableWorkflow, FoundWorkflow>();
  for (const [exportName, value] of Object.entries({ ...inside, ...named, default: byDefault })) {
    if (isWorkflow(value) && !found.has(value)) {
      found.set(value, { workflow: value, exportName: exportName === 'default' ? value.name : exportName, from });
    }
  }
  return [...found.values()];
}

function isWorkflow(value: unknown): value is LoadableWorkflow {
  if (typeof value !== 'object' || value === null) return false;
  const { name, prepare, definition } = value as Partial<Record<keyof LoadableWorkflow, unknown>>;
  return typeof name === 'string' && typeof prepare === 'function' && typeof definition === 'object';
}

function scriptProblem(path: string): string | undefined {
  if (SCRIPTS.includes(extname(path)) || isTypeScript(path)) return undefined;
  return `${path} is not a JavaScript or TypeScript module. Name a file that ends with .js, .mjs, .cjs or .ts`;
}

function unknown(message: string): MillraceError {
  return new MillraceError('MILLRACE_UNKNOWN_WORKFLOW', message);
}
