/**
 * The doors explain themselves: what an editor shows for a public name says what the name alone does not. Read from the
 * sources through the compiler, so no build is looked at.
 */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = new URL('../../', import.meta.url).pathname;
const ROOMS = /^(lib|mock-server|workflows)\//;

type Doors = Readonly<Record<string, string | { readonly types: string }>>;

/** The source of a door: `./dist/testing/index.d.ts` was `lib/testing/index.ts`. */
function sourceOf(types: string): string {
  const path = types.replace('./dist/', '').replace(/\.d\.ts$/, '.ts');
  return join(root, ROOMS.test(path) ? path : `lib/${path}`);
}

const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { exports: Doors };
const doors = Object.entries(exports).flatMap(([name, door]) =>
  typeof door === 'string' ? [] : [{ name, file: sourceOf(door.types) }],
);
const program = ts.createProgram(
  doors.map(({ file }) => file),
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
const checker = program.getTypeChecker();

/** Where it is declared, if in our own sources. */
function placeOf(symbol: ts.Symbol): string | undefined {
  const file = symbol.declarations?.[0]?.getSourceFile().fileName;
  return file === undefined || !ROOMS.test(relative(root, file)) ? undefined : relative(root, file);
}

/** The paragraph at the head of a file is about the file, not about the declaration that happens to follow it. */
function isHeading(declaration: ts.Declaration): boolean {
  const comments = ts.getJSDocCommentsAndTags(declaration).filter((node) => ts.isJSDoc(node));
  return comments.length > 0 && comments.every(({ pos }) => pos === 0);
}

function isDocumented(symbol: ts.Symbol): boolean {
  return symbol.getDocumentationComment(checker).length > 0 && symbol.declarations?.every(isHeading) !== true;
}

function isPublic({ declarations = [] }: ts.Symbol): boolean {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return declarations.every((declaration) => {
    const name = ts.getNameOfDeclaration(declaration);
    return (
      !(ts.getCombinedModifierFlags(declaration) & hidden) && (name === undefined || !ts.isPrivateIdentifier(name))
    );
  });
}

/** The public members of an interface or a class, those it has of our other types included. */
function membersOf(symbol: ts.Symbol): readonly ts.Symbol[] {
  if (!(symbol.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class))) return [];
  const statics = [...(symbol.exports?.values() ?? [])].filter(({ flags }) => !(flags & ts.SymbolFlags.Prototype));
  const own = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol));
  return [...own, ...statics].filter((member) => placeOf(member) !== undefined && isPublic(member));
}

describe('the doors of the package', () => {
  it.each(doors)('explain every name that $name exports, and every member of it', ({ file }) => {
    const door = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile) as ts.Symbol;
    const names = checker
      .getExportsOfModule(door)
      .map((name) => (name.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(name) : name));
    expect(names).not.toEqual([]);
    const silent = names.flatMap((name) => [
      ...(isDocumented(name) ? [] : [`${placeOf(name) ?? ''}: ${name.name}`]),
      ...membersOf(name).flatMap((member) =>
        isDocumented(member) ? [] : [`${placeOf(member) ?? ''}: ${name.name}.${member.name}`],
      ),
    ]);
    expect(silent).toEqual([]);
  });
});
