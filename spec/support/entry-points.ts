/**
 * What the entry points of the package export, read from the sources through the compiler, so that no build is looked
 * at.
 */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import ts from 'typescript';

const root = new URL('../../../', import.meta.url).pathname;
const ROOMS = /^(lib|mock-server|workflows)\//;

type EntryPoints = Readonly<Record<string, string | { readonly types: string }>>;

/** A name that an entry point exports. */
export interface PublicName {
  /** What stands behind it, where it is declared. */
  readonly symbol: ts.Symbol;
  /** Exported as a type only: whoever imports it cannot call it or make one. */
  readonly isTypeOnly: boolean;
}

/** The source of an entry point: `./dist/testing/index.d.ts` was `lib/testing/index.ts`. */
function sourceOf(types: string): string {
  const path = types.replace('./dist/', '').replace(/\.d\.ts$/, '.ts');
  return join(root, ROOMS.test(path) ? path : `lib/${path}`);
}

const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { exports: EntryPoints };

/** Every entry point with the file it opens on. */
export const entryPoints = Object.entries(exports).flatMap(([name, entry]) =>
  typeof entry === 'string' ? [] : [{ name, file: sourceOf(entry.types) }],
);

const program = ts.createProgram(
  entryPoints.map(({ file }) => file),
  {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules', '@types')],
  },
);
export const checker = program.getTypeChecker();

/** All that the entry point in this file exports. */
export function namesOf(file: string): readonly PublicName[] {
  const entry = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile) as ts.Symbol;
  return checker.getExportsOfModule(entry).map((name) => ({
    symbol: name.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(name) : name,
    isTypeOnly: name.declarations?.some((declaration) => ts.isTypeOnlyExportDeclaration(declaration)) === true,
  }));
}

/** The file it is declared in, if that is one of ours. */
export function placeOf({ declarations }: ts.Symbol): string | undefined {
  return declarations?.[0] === undefined ? undefined : ownFileOf(declarations[0]);
}

/** The file it stands in, if that is one of ours. */
export function ownFileOf(node: ts.Node): string | undefined {
  const file = relative(root, node.getSourceFile().fileName);
  return ROOMS.test(file) ? file : undefined;
}

function isPublic({ declarations = [] }: ts.Symbol): boolean {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return declarations.every((declaration) => {
    const name = ts.getNameOfDeclaration(declaration);
    return !(ts.getCombinedModifierFlags(declaration) & hidden) && (name === undefined || !isOwnSecret(name));
  });
}

/** A name nobody outside can write: `#private`, or a symbol of ours. */
function isOwnSecret(name: ts.DeclarationName): boolean {
  if (!ts.isComputedPropertyName(name)) return ts.isPrivateIdentifier(name);
  const symbol = checker.getSymbolAtLocation(name.expression);
  return symbol !== undefined && placeOf(symbol) !== undefined;
}

/**
 * The public members of a class, an interface or an alias, those it has of our other types included. An alias has the
 * members of everything it unites or intersects.
 */
export function membersOf(symbol: ts.Symbol): readonly ts.Symbol[] {
  const { Interface, Class, TypeAlias, Prototype } = ts.SymbolFlags;
  if (!(symbol.flags & (Interface | Class | TypeAlias))) return [];
  const statics = [...(symbol.exports?.values() ?? [])].filter(({ flags }) => !(flags & Prototype));
  const own = partsOf(checker.getDeclaredTypeOfSymbol(symbol)).flatMap((part) => checker.getPropertiesOfType(part));
  return [...new Set([...own, ...statics])].filter((member) => placeOf(member) !== undefined && isPublic(member));
}

function partsOf(type: ts.Type): readonly ts.Type[] {
  return type.isUnionOrIntersection() ? type.types.flatMap(partsOf) : [type];
}
