import { describe, expect, it } from '@jest/globals';
import { planGraph, type GraphNode } from '#lib/model/graph.js';

const source = (name: string): GraphNode => ({ name, dependencies: [], bearing: 'source' });
const task = (name: string, ...dependencies: string[]): GraphNode => ({ name, dependencies, bearing: 'inherits' });
const boundary = (name: string, ...dependencies: string[]): GraphNode => ({ name, dependencies, bearing: 'boundary' });
const expand = (name: string, from: string): GraphNode => ({ ...boundary(name, from), expands: true });

describe('planGraph', () => {
  it.each<[string, GraphNode[], string, string]>([
    ['no tasks', [], 'MILLRACE_UNREACHABLE', 'The workflow has no tasks. Add at least a source and a task'],
    [
      'two tasks of one name',
      [source('A'), task('B', 'A'), task('B', 'A')],
      'MILLRACE_DUPLICATE_TASK',
      "Two tasks are named 'B'. Give each its own name",
    ],
    [
      'a dependency that does not exist',
      [source('Extract'), task('B', 'Extrat')],
      'MILLRACE_UNKNOWN_TASK',
      "Task 'B' depends on 'Extrat', which does not exist. Did you mean 'Extract'?",
    ],
    [
      'a circle',
      [source('S'), task('a', 'S', 'c'), task('b', 'a'), task('c', 'b')],
      'MILLRACE_CYCLE',
      'Tasks depend on each other in a circle: a → b → c → a. Remove one of these dependencies',
    ],
    [
      'a task that depends on itself',
      [source('S'), task('a', 'S', 'a')],
      'MILLRACE_CYCLE',
      'Tasks depend on each other in a circle: a → a. Remove one of these dependencies',
    ],
    [
      'a source without output',
      [source('A'), source('B'), task('C', 'A')],
      'MILLRACE_SOURCE_WITHOUT_OUTPUT',
      "Source 'B' has no dependents, so nothing reads what it emits. Add a task that depends on it, or remove it",
    ],
    [
      'a task that nothing reaches',
      [source('A'), task('B', 'A'), task('C')],
      'MILLRACE_UNREACHABLE',
      "Task 'C' depends on nothing and is not a source, so no record can reach it. Name its dependencies",
    ],
    [
      'a source with dependencies',
      [source('A'), { ...source('B'), dependencies: ['A'] }],
      'MILLRACE_JOIN',
      "Source 'B' was given dependencies (A); a source has none. Use another kind of task, or drop them",
    ],
    [
      'a dependency named twice',
      [source('A'), task('B', 'A', 'A')],
      'MILLRACE_JOIN',
      "Task 'B' names its dependency 'A' twice. Name it once",
    ],
    [
      'dependencies of different roots without a join',
      [source('A'), source('B'), task('C', 'A', 'B')],
      'MILLRACE_JOIN',
      "Task 'C' depends on 'A' (root 'A') and 'B' (root 'B'), whose records do not descend from one root, so they cannot be aligned. Name a join: 'latest' pairs each record with the newest of the others, 'keyed' pairs records by a key, 'merge' passes on each record of both by itself, 'all' waits for both to end and hands over collections, 'gather' collects the children of an expandTask per parent",
    ],
    [
      'a gather without an expandTask',
      [source('A'), { ...task('B', 'A'), join: 'gather' }],
      'MILLRACE_JOIN',
      "Task 'B' gathers from 'A', but gather collects the children of one expandTask per parent. Depend on exactly one task that descends from an expandTask",
    ],
    [
      'a keyed join of three',
      [source('A'), source('B'), source('C'), { ...task('D', 'A', 'B', 'C'), join: 'keyed' }],
      'MILLRACE_JOIN',
      "Task 'D' joins 3 dependencies by key; a keyed join accepts exactly two. Chain keyed joins for more",
    ],
  ])('refuses %s', (_, nodes, code, message) => {
    expect(() => planGraph(nodes)).toThrow(expect.objectContaining({ code, message }));
  });

  it('puts dependencies before dependents, whatever the order of declaration', () => {
    const plan = planGraph([task('c', 'b'), task('b', 'a'), task('a', 'S'), source('S')]);
    expect(plan.nodes.map(({ node }) => node.name)).toEqual(['S', 'a', 'b', 'c']);
  });

  it('divides a graph into the regions of its roots, with their exits', () => {
    const plan = planGraph([
      source('S'),
      task('a', 'S'),
      boundary('sum', 'a'),
      expand('words', 'S'),
      task('word', 'words'),
      { ...task('line', 'word'), join: 'gather' },
      task('both', 'a', 'line'),
    ]);
    expect(Object.fromEntries(plan.nodes.map(({ node, outputRoot }) => [node.name, outputRoot]))).toEqual({
      S: 'S',
      a: 'S',
      sum: 'sum',
      words: 'words',
      word: 'words',
      line: 'S',
      both: 'S',
    });
    expect(plan.roots.get('S')?.exits).toEqual([
      { task: 'sum', dependency: 0 },
      { task: 'words', dependency: 0 },
      { task: 'both' },
    ]);
    expect(plan.roots.get('words')).toEqual({ id: 'words', parent: 'S', exits: [{ task: 'line', dependency: 0 }] });
  });

  it('plans a chain of ten thousand tasks', () => {
    const nodes = [source('t0'), ...Array.from({ length: 10_000 }, (_, i) => task(`t${i + 1}`, `t${i}`))];
    expect(planGraph(nodes).nodes.length).toBe(10_001);
  });
});
