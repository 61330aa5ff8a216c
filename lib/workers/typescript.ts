/**
 * Prepares a thread to import TypeScript modules of users. Node runs TypeScript by itself from version 22.18 on. On
 * every version, `tsx` runs it if the folder of the module has `tsx` installed.
 *
 * Guarantees: `tsx` is used wherever it is installed, so that a project behaves in the same way on every version of
 * Node. It is looked up from the folder of the module and is not a dependency of this package. A thread registers it
 * once.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The endings of the names of TypeScript modules. */
export const TYPESCRIPT_EXTENSIONS: readonly string[] = ['.ts', '.mts', '.cts', '.tsx'];

/** The hooks for `import` and for `require`. */
const APIS = ['./esm/api', './cjs/api'] as const;

/** The parts of the package.json of tsx that are read. */
interface TsxManifest {
  readonly exports: Readonly<Record<(typeof APIS)[number], { readonly import: { readonly default: string } }>>;
}

/**
 * The module hooks that this thread has registered or is registering, by their URLs. Hooks belong to one thread and
 * must not be registered twice.
 */
const registered = new Map<string, Promise<void>>();

/**
 * Makes this thread ready to import a module, which is given by its URL. Resolves with undefined, or with the reason
 * why the module cannot run here, as the end of a sentence. Does nothing for a module that is not TypeScript.
 */
export async function prepareTypeScript(module: string): Promise<string | undefined> {
  if (!module.startsWith('file:')) return undefined;
  const path = fileURLToPath(module);
  if (!isTypeScript(path)) return undefined;
  const apis = tsxBeside(path);
  for (const url of apis) {
    const registering = registered.get(url) ?? register(url);
    registered.set(url, registering);
    await registering;
  }
  if (apis.length > 0 || runsTypeScript()) return undefined;
  return `is TypeScript, which Node ${process.versions.node} does not run by itself. Install tsx (npm install --save-dev tsx), or use Node 22.18 or newer`;
}

/** Whether a file with this path is TypeScript, and is not a declaration file. */
export function isTypeScript(path: string): boolean {
  return TYPESCRIPT_EXTENSIONS.includes(extname(path)) && !/\.d\.[cm]?ts$/.test(path);
}

async function register(url: string): Promise<void> {
  ((await import(url)) as { register(): unknown }).register();
}

function runsTypeScript(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript);
}

/** The URLs of the hooks; none if tsx is not installed, or is too old to have them. */
function tsxBeside(path: string): readonly string[] {
  try {
    // The manifest names the ES modules of the hooks. `resolve` alone would return the CommonJS files, in which the
    // hooks for `import` do not work.
    const manifest = createRequire(path).resolve('tsx/package.json');
    const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as TsxManifest;
    return APIS.map((name) => new URL(exports[name].import.default, pathToFileURL(manifest)).href);
  } catch {
    return [];
  }
}
