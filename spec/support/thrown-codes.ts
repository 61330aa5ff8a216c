/**
 * Which codes a function can throw with, read from its source and that of everything it calls.
 *
 * Promises: no false alarm for what runs later or elsewhere, so functions inside functions are passed over, save those
 * that a method of an array calls at once, and so is what a `catch` takes in. What is called through an interface is
 * not seen, because the compiler cannot say whose code that is.
 */
import ts from 'typescript';
import { checker, ownFileOf } from './entry-points.js';

type Code = ts.FunctionLikeDeclaration | ts.ClassLikeDeclaration;

/** The codes of the MillraceErrors that a call of it, or of a class the making of one, may throw or reject with. */
export function thrownCodes(code: Code): ReadonlySet<string> {
  const codes = new Set<string>();
  const reached = new Set([code]);
  // A set may grow while it is gone through.
  for (const one of reached) {
    for (const part of partsOf(one)) visit(part, { codes, reached });
    const base = baseOf(one);
    if (base !== undefined) reached.add(base);
  }
  return codes;
}

/** What was found so far. */
interface Findings {
  readonly codes: Set<string>;
  /** All code that may run. */
  readonly reached: Set<Code>;
}

/** What runs when it is called. */
function partsOf(code: Code): readonly ts.Node[] {
  if (!ts.isClassLike(code)) return code.body === undefined ? [] : [code.body];
  const values = code.members.flatMap((member) =>
    ts.isPropertyDeclaration(member) && member.initializer !== undefined ? [member.initializer] : [],
  );
  const maker = makerOf(code)?.body;
  return [...values.filter((value) => !ts.isFunctionLike(value)), ...(maker === undefined ? [] : [maker])];
}

function makerOf(code: ts.ClassLikeDeclaration): ts.ConstructorDeclaration | undefined {
  return code.members.find((member) => ts.isConstructorDeclaration(member));
}

/** A class without a constructor is made as the one it extends. */
function baseOf(code: Code): Code | undefined {
  if (!ts.isClassLike(code) || makerOf(code) !== undefined) return undefined;
  const extended = code.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types[0];
  return extended && own(declarationsOf(extended.expression).find((one) => ts.isClassLike(one)));
}

function visit(node: ts.Node, findings: Findings): void {
  if (ts.isTryStatement(node)) {
    for (const part of [node.catchClause?.block ?? node.tryBlock, node.finallyBlock]) {
      if (part !== undefined) visit(part, findings);
    }
    return;
  }
  if (ts.isThrowStatement(node) && isMillraceError(checker.getTypeAtLocation(node.expression))) {
    for (const code of codesIn(node.expression)) findings.codes.add(code);
  }
  const called = calledBy(node);
  if (called !== undefined) findings.reached.add(called);
  ts.forEachChild(node, (child) => {
    if (ts.isClassLike(child) || ts.isTypeNode(child)) return;
    if (!ts.isFunctionLike(child)) visit(child, findings);
    else if ('body' in child && child.body !== undefined && isCalledAtOnce(child, node)) visit(child.body, findings);
  });
}

/** The code of ours that a call runs. */
function calledBy(node: ts.Node): Code | undefined {
  if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return undefined;
  const { expression } = node;
  const isMaking = ts.isNewExpression(node) || expression.kind === ts.SyntaxKind.SuperKeyword;
  if (isMaking) return own(declarationsOf(expression).find((one) => ts.isClassLike(one)));
  const declarations = implementationsOf(checker.getResolvedSignature(node)?.declaration);
  return own(declarations.find((one) => 'body' in one && one.body !== undefined) as Code | undefined);
}

function declarationsOf(expression: ts.Expression): readonly ts.Declaration[] {
  return checker.getTypeAtLocation(expression).getSymbol()?.declarations ?? [];
}

function own(code: Code | undefined): Code | undefined {
  return code === undefined || ownFileOf(code) === undefined ? undefined : code;
}

/** The resolved declaration of an overloaded function is one without a body. */
function implementationsOf(signature: ts.SignatureDeclaration | ts.JSDocSignature | undefined): ts.Declaration[] {
  if (signature === undefined) return [];
  const name = ts.getNameOfDeclaration(signature);
  const symbol = name && checker.getSymbolAtLocation(name);
  return [signature, ...(symbol?.declarations ?? [])];
}

function isCalledAtOnce(given: ts.Node, to: ts.Node): boolean {
  if (!ts.isCallExpression(to) || to.expression === given || !ts.isPropertyAccessExpression(to.expression))
    return false;
  const receiver = checker.getTypeAtLocation(to.expression.expression);
  return checker.isArrayType(receiver) || checker.isTupleType(receiver);
}

function isMillraceError(type: ts.Type): boolean {
  if (type.getSymbol()?.name === 'MillraceError') return true;
  return type.isClassOrInterface() && checker.getBaseTypes(type).some(isMillraceError);
}

/** Named where the error is made: in the expression, or in what it calls. */
function codesIn(expression: ts.Node): readonly string[] {
  const maker = calledBy(expression);
  const sources = [expression, ...(maker === undefined ? [] : [maker])].map((node) => node.getText());
  const named = sources.map((source) => source.match(/(?<=')MILLRACE_[A-Z_]+(?=')/g) ?? []);
  return named.find((names) => names.length > 0) ?? [`the code of ${expression.getText()}`];
}
