/** The entry points explain themselves: what an editor shows for a public name says what the name alone does not. */
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { ERROR_CODES } from '#lib/model/errors.js';
import {
  checker,
  entryPoints,
  membersOf,
  namesOf,
  ownFileOf,
  placeOf,
  type PublicName,
} from './support/entry-points.js';
import { thrownCodes } from './support/thrown-codes.js';

/** Every event has them, and they mean the same in each: the docstrings of the unions explain them once. */
const EXPLAINED_BY_UNION = ['type', 'at'];

/** The paragraph at the head of a file is about the file, not about the declaration that happens to follow it. */
function isHeading(declaration: ts.Declaration): boolean {
  const comments = ts.getJSDocCommentsAndTags(declaration).filter((node) => ts.isJSDoc(node));
  return comments.length > 0 && comments.every(({ pos }) => pos === 0);
}

function isDocumented(symbol: ts.Symbol): boolean {
  return symbol.getDocumentationComment(checker).length > 0 && symbol.declarations?.every(isHeading) !== true;
}

function isExplainedByUnion(owner: ts.Symbol, member: ts.Symbol): boolean {
  return owner.name.endsWith('Event') && EXPLAINED_BY_UNION.includes(member.name);
}

type Documented = Pick<ts.Symbol, 'getDocumentationComment' | 'getJsDocTags'>;

/** What is said of it, also of its parameters, its result and what it throws. */
function wordsOf(documented: Documented): string {
  const tags = documented.getJsDocTags(checker).filter(({ name }) => name !== 'example');
  return [documented.getDocumentationComment(checker), ...tags.map(({ text }) => text)]
    .map((parts) => ts.displayPartsToString(parts))
    .join(' ');
}

interface Callable {
  readonly name: string;
  readonly code: Parameters<typeof thrownCodes>[0];
  readonly docstring: string;
}

/** A function, or a class: making one, and its methods. Getters are passed over: nobody gives them anything wrong. */
function callablesOf({ symbol, isTypeOnly }: PublicName): readonly Callable[] {
  const own = (symbol.declarations ?? []).flatMap((code) =>
    !isTypeOnly && (ts.isFunctionDeclaration(code) || ts.isClassDeclaration(code))
      ? [{ name: symbol.name, code, docstring: [symbol, ...makingOf(code)].map(wordsOf).join(' ') }]
      : [],
  );
  const methods = (symbol.flags & ts.SymbolFlags.Class ? membersOf(symbol) : []).flatMap((member) =>
    (member.declarations ?? [])
      .filter((code) => ts.isMethodDeclaration(code))
      .map((code) => ({ name: `${symbol.name}.${member.name}`, code, docstring: wordsOf(member) })),
  );
  return [...own, ...methods];
}

function makingOf(code: ts.FunctionDeclaration | ts.ClassDeclaration): readonly Documented[] {
  const maker = ts.isClassDeclaration(code) ? code.members.find((one) => ts.isConstructorDeclaration(one)) : undefined;
  return [maker && checker.getSignatureFromDeclaration(maker)].filter((signature) => signature !== undefined);
}

describe('the entry points of the package', () => {
  it.each(entryPoints)('explain every name that $name exports, and every member of it', ({ file }) => {
    const names = namesOf(file).map(({ symbol }) => symbol);
    expect(names).not.toEqual([]);
    const silent = names.flatMap((name) => [
      ...(isDocumented(name) ? [] : [{ name: `${placeOf(name) ?? ''}: ${name.name}` }]),
      ...membersOf(name).flatMap((member) =>
        isDocumented(member) || isExplainedByUnion(name, member)
          ? []
          : [{ name: `${placeOf(member) ?? ''}: ${name.name}.${member.name}` }],
      ),
    ]);
    expect(silent).toEqual([]);
  });

  it.each(entryPoints)(
    'name a code for every function of $name that throws one, and no code that does not exist',
    ({ file }) => {
      const callables = namesOf(file).flatMap(callablesOf);
      const silent = callables.flatMap(({ name, code, docstring }) => {
        const thrown = [...thrownCodes(code)];
        if (thrown.length === 0 || thrown.some((one) => isNamed(one, docstring))) return [];
        return [{ name: `${ownFileOf(code) ?? ''}: ${name}`, thrown }];
      });
      expect(silent).toEqual([]);
      const named = callables.flatMap(({ docstring }) => docstring.match(/MILLRACE_[A-Z_]*[A-Z]/g) ?? []);
      expect(named.filter((code) => !(code in ERROR_CODES))).toEqual([]);
    },
  );

  it('are asked about what a function throws by way of what it calls', () => {
    const callables = entryPoints.flatMap(({ file }) => namesOf(file).flatMap(callablesOf));
    const thrownBy = (name: string): readonly string[] =>
      callables.filter((one) => one.name === name).flatMap(({ code }) => [...thrownCodes(code)]);
    expect(thrownBy('defineWorkflow')).toEqual(['MILLRACE_INVALID_OPTION']);
    expect(thrownBy('Workflow.parseConfig')).toEqual(['MILLRACE_CONFIG']);
    expect(thrownBy('writePerformanceSummary')).toEqual(['MILLRACE_FILE', 'MILLRACE_INVALID_OPTION']);
    expect(thrownBy('callPolicies')).toEqual(['MILLRACE_INVALID_OPTION']);
    expect(thrownBy('partitionOf')).toEqual([]);
  });
});

/** A function that throws with a code that it was given names the parameter. */
function isNamed(code: string, docstring: string): boolean {
  return docstring.includes(code) || (code.startsWith('the code of ') && docstring.includes('`code`'));
}
