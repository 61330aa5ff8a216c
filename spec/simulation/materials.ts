/** The tasks of a simulated run: they live in one incarnation, wait in its time, and touch the world through it. */
import { asyncTask, SourceTask, type SourceOptions, type TaskScope } from 'millrace';
import type { Lineage } from '#lib/model/record.js';
import { readerOf, type Reader } from '#lib/stream/reader.js';
import { positionIn, type SourcePosition } from '#lib/tasks/source-task.js';
import type { Materials } from '../support/random-materials.js';
import { asynchronously, hashOf, randomSource, type Value } from '../support/random-tasks.js';
import type { Disk } from './disk.js';
import { FileSink } from './file-sink.js';
import type { Laws } from './laws.js';
import type { Incarnation } from './incarnation.js';
import type { World } from './world.js';
import { CallTask, type Upstream } from './upstream.js';

export interface Surroundings {
  readonly world: World;
  readonly disk: Disk;
  readonly upstream: Upstream;
  readonly laws: Laws;
  readonly incarnation: Incarnation;
}

export function simulatedMaterials({ world, disk, upstream, laws, incarnation }: Surroundings): Materials {
  const started = (name: string, lineage: number): void => {
    laws.started(incarnation, name, lineage);
  };
  const isSo = (name: string, what: string, share: number): boolean => isDrawn(world.seed, name, what, share);
  return {
    clock: incarnation.outside,
    source: (items, shape, schema) => {
      const options = { replayable: true, ...(schema === undefined ? {} : { output: schema }) };
      return shape === 0 ? new SeekableSource(items, options) : randomSource(items, shape, options);
    },
    watched:
      (name, work) =>
      (value, { lineage }) => {
        started(name, lineage);
        return work(value);
      },
    slow: (name, work, { salt, onFailure, concurrency, ordered }) => {
      const options = { onFailure, concurrency, ordered };
      const traits = {
        name,
        work,
        ...options,
        attempts: 1 + (salt % 5),
        hasBreaker: isSo(name, 'breaker', 0.3),
        isStubborn: isSo(name, 'stubborn', 0.5),
        hedges: isSo(name, 'hedges', 0.3),
        faultRate: isSo(name, 'sick', 0.5) ? 0.3 : 0.02,
      };
      if (isSo(name, 'calls', 0.6)) {
        return new CallTask(traits, upstream, incarnation, (lineage) => {
          started(name, lineage);
        });
      }
      return asyncTask<Value, Value>(async (value, { lineage }) => {
        started(name, lineage);
        const delayMs = world.below(200);
        if (delayMs > 50) {
          await new Promise<void>((resolve) => {
            incarnation.outside.schedule(delayMs, resolve);
          });
        }
        return work(value);
      }, options);
    },
    sink: (name) => new FileSink({ path: name, disk, incarnation, ordered: isOrderedSink(world.seed, name) }),
  };
}

/** Whether the sink writes in root order. */
export function isOrderedSink(seed: number, name: string): boolean {
  return isDrawn(seed, name, 'ordered', 0.7);
}

function isDrawn(seed: number, name: string, what: string, share: number): boolean {
  return hashOf([seed, name, what]) % 100 < share * 100;
}

/** A source that goes on from a position, as one over a file does; positions are every third record. */
export class SeekableSource<Item> extends SourceTask<Item> {
  private readonly items: readonly Item[];

  constructor(items: readonly Item[], options: SourceOptions<Item>) {
    super(options);
    this.items = items;
  }

  override identify(): { readonly size: number } {
    return { size: this.items.length };
  }

  protected override positionOf(lineage: Lineage): SourcePosition {
    return { lineage: lineage - (lineage % 3) };
  }

  protected override read(): never {
    throw new TypeError('It is read by its own reader');
  }

  protected override reader(scope: TaskScope): Reader<Item> {
    return readerOf(asynchronously(this.items.slice(positionIn(scope)?.lineage ?? 0)));
  }
}
