/** Holds the table of docs/events.md to the union in lib/model/events.ts, type by type and field by field. */
import { readFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';
import ts from 'typescript';

it('documents every event and every field of it, and nothing else', async () => {
  const documented = documentedEvents(await readFile('docs/events.md', 'utf8'));
  const declared = declaredEvents();
  expect(documented.size).toBeGreaterThan(15);
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(declared));
}, 60_000);

function documentedEvents(markdown: string): Map<string, string[]> {
  const rows = markdown.matchAll(/^\| `([a-z-]+)` +\|([^|]*)\|/gm);
  return new Map([...rows].map(([, type = '', fields = '']) => [type, words(fields).sort()]));
}

function words(cell: string): string[] {
  return [...cell.matchAll(/`(\w+)`/g)].map(([, word = '']) => word);
}

/** Without `type` and `at`, which every event has. */
function declaredEvents(): Map<string, string[]> {
  const path = 'lib/model/events.ts';
  const program = ts.createProgram([path], {
    strict: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    skipLibCheck: true,
    types: [],
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(path) as ts.SourceFile;
  const [union] = source.statements.filter(
    (statement): statement is ts.TypeAliasDeclaration =>
      ts.isTypeAliasDeclaration(statement) && statement.name.text === 'RunEvent',
  );
  const { types } = checker.getTypeAtLocation(union as ts.TypeAliasDeclaration) as ts.UnionType;
  const events = new Map<string, string[]>();
  for (const event of types) {
    const names = event.getProperties().map(({ name }) => name);
    const kind = checker.getTypeOfSymbol(event.getProperty('type') as ts.Symbol);
    const fields = names.filter((name) => name !== 'type' && name !== 'at').sort();
    for (const one of kind.isUnion() ? kind.types : [kind]) {
      events.set((one as ts.StringLiteralType).value, fields);
    }
  }
  return events;
}
