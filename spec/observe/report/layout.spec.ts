import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { layOut, type LayoutTask } from '#lib/observe/report/layout.js';

const task = (name: string, ...dependencies: string[]): LayoutTask => ({ name, dependencies });

describe('the layout of a graph', () => {
  it('puts every task behind the longest way to it', () => {
    const { places, layers, rows } = layOut([
      task('a'),
      task('b', 'a'),
      task('c', 'b'),
      task('d', 'a', 'c'),
      task('e'),
    ]);
    expect([...places].map(([name, { layer }]) => `${name}${layer}`)).toEqual(['a0', 'b1', 'c2', 'd3', 'e0']);
    expect([layers, rows]).toEqual([4, 2]);
  });

  it('leaves out crossings that need not be', () => {
    const { places } = layOut([task('a'), task('b'), task('to b', 'b'), task('to a', 'a')]);
    const row = (name: string): number => places.get(name)?.row ?? -1;
    expect(row('a') < row('b')).toBe(row('to a') < row('to b'));
  });

  it('leads an edge over several layers past the boxes between', () => {
    const { places, rows, way } = layOut([task('a'), task('b', 'a'), task('c', 'b'), task('d', 'a', 'c')]);
    expect(rows).toBe(2);
    expect(way('a', 'b')).toEqual([]);
    const ways = way('a', 'd');
    expect(ways.map(({ layer }) => layer)).toEqual([1, 2]);
    for (const [index, name] of ['b', 'c'].entries()) expect(ways[index]).not.toEqual(places.get(name));
  });

  it('gives every task a place of its own, and edges that go on', () => {
    const graphs = fc
      .array(fc.array(fc.nat(), { maxLength: 3 }), { maxLength: 60 })
      .map((all) => all.map((deps, n) => task(`t${n}`, ...new Set(n === 0 ? [] : deps.map((dep) => `t${dep % n}`)))));
    fc.assert(
      fc.property(graphs, (tasks) => {
        const { places, rows, way } = layOut(tasks);
        const occupied = new Set([...places.values()].map(({ layer, row }) => `${layer} ${row}`));
        for (const { name, dependencies } of tasks) {
          for (const from of dependencies) {
            for (const { layer, row } of way(from, name)) expect(occupied.has(`${layer} ${row}`)).toBe(false);
          }
        }
        expect(new Set([...places.values()].map(({ layer, row }) => `${layer} ${row}`)).size).toBe(tasks.length);
        for (const { name, dependencies } of tasks) {
          const { layer, row } = places.get(name) ?? { layer: -1, row: -1 };
          for (const from of dependencies) expect(places.get(from)?.layer).toBeLessThan(layer);
          expect(row).toBeGreaterThanOrEqual(0);
          expect(row).toBeLessThan(Math.max(1, rows));
        }
      }),
    );
  });
});
