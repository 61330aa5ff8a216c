/**
 * The side of a worker thread: opens workloads, executes chunks, feeds streams.
 *
 * Guarantees: chunks are executed in the order of arrival. A result that cannot be cloned ends its own record, with the
 * name of the task in the error; the other results of the chunk arrive. Thrown errors arrive as errors of their own
 * class.
 */
import type { MessagePort, Transferable } from 'node:worker_threads';
import { FatalTaskError, MillraceError } from '../model/errors.js';
import type { ChunkResult, Collected, Ending, Workload, ModuleRef } from '../execution/executor.js';
import { ItemPump } from '../execution/item-pump.js';
import { Waiter } from '../model/awaitable.js';
import { loadChecked, loadStream } from '../execution/load-export.js';
import { loadWorkload } from '../execution/loaded-workload.js';
import { PROGRESS, type LoadedWorkload } from '../execution/running-workload.js';
import { packError } from './error-wire.js';
import { ITEM_CREDITS, unpackLineages, type FromThread, type ToThread, type WireEnding } from './protocol.js';
import { prepareTypeScript } from './typescript.js';
import { whyUncloneable } from './uncloneable.js';

type ChunkMessage = ToThread & { type: 'chunk' };
type OpenMessage = ToThread & { type: 'open' };

interface OpenWorkload {
  readonly spec: Workload;
  /** Set once the workload is loaded. */
  loaded: LoadedWorkload | undefined;
  readonly loading: Promise<LoadedWorkload>;
}

interface OpenStream {
  readonly pump: ItemPump<unknown>;
  credits: number;
  /** Ends the wait for credits. */
  readonly waiter: Waiter;
}

export class ThreadSide {
  private readonly port: MessagePort;
  private readonly progress: Int32Array;
  private readonly workloads = new Map<number, OpenWorkload>();
  private readonly streams = new Map<number, OpenStream>();

  constructor(port: MessagePort, progress: Int32Array) {
    this.port = port;
    this.progress = progress;
  }

  post(message: FromThread, transfer: readonly object[] = []): void {
    this.port.postMessage(message, transfer as readonly Transferable[]);
  }

  readonly receive = (message: ToThread): void => {
    switch (message.type) {
      case 'chunk':
        this.chunk(message);
        return;
      case 'open':
        this.open(message);
        return;
      case 'check':
        prepared([message.ref], () => loadChecked(message.ref, message.as)).then(
          () => {
            this.post({ type: 'checked', id: message.id });
          },
          (error: unknown) => {
            this.post({ type: 'checked', id: message.id, error: packError(error) });
          },
        );
        return;
      case 'close':
        this.workloads.delete(message.workload);
        return;
      case 'collect':
        void this.feed(message.stream, this.collect(message.workload));
        return;
      case 'stream':
        void this.feed(message.stream, this.items(message.ref));
        return;
      case 'more':
        this.more(message.stream);
        return;
      case 'stop':
        this.stop(message.stream);
    }
  };

  private open({ workload: id, spec, states }: OpenMessage): void {
    const workload: OpenWorkload = {
      spec,
      loaded: undefined,
      loading: prepared(modulesOf(spec), () => loadWorkload(spec)),
    };
    this.workloads.set(id, workload);
    workload.loading.then(
      (loaded) => {
        if (states !== undefined) loaded.restore?.(states);
        workload.loaded = loaded;
        this.post({ type: 'loaded', workload: id });
      },
      (error: unknown) => {
        this.post({ type: 'failed', workload: id, chunk: 0, error: packError(error) });
      },
    );
  }

  private chunk(message: ChunkMessage): void {
    const workload = this.workloads.get(message.workload);
    if (workload === undefined) return;
    if (workload.loaded !== undefined) {
      this.execute(message, workload.spec, workload.loaded);
      return;
    }
    // Continuations run in the order in which they were added, so chunks keep their order.
    workload.loading.then(
      (loaded) => {
        this.execute(message, workload.spec, loaded);
      },
      () => undefined,
    );
  }

  private execute(message: ChunkMessage, spec: Workload, loaded: LoadedWorkload): void {
    const { workload, chunk, lineages, records, places, forgotten, seeds, wantsBetween } = message;
    const { progress } = this;
    const unpacked = unpackLineages(lineages, records.length);
    progress[PROGRESS.index] = 0;
    progress[PROGRESS.chunk] = chunk;
    try {
      const placed = places === undefined ? undefined : unpackLineages(places, records.length);
      const result = loaded.execute({
        chunk: { from: 0, lineages: unpacked, records, places: placed, forgotten, seeds },
        progress,
        wantsBetween,
      });
      try {
        const endings = result.endings.map(packEnding);
        this.post({ type: 'done', chunk, ...result, endings }, loaded.transferOf(result.outputs));
      } catch {
        const sound = dropUncloneable(result, spec, unpacked);
        const endings = sound.endings.map(packEnding);
        this.post({ type: 'done', chunk, ...sound, endings }, loaded.transferOf(sound.outputs));
      }
    } catch (error) {
      this.post({ type: 'failed', workload, chunk, error: packError(error) });
    }
    progress[PROGRESS.chunk] = 0;
  }

  private collect(id: number): Iterable<unknown> {
    return packCollected(this.workloads.get(id)?.loaded?.collect?.() ?? []);
  }

  private items(ref: ModuleRef): Promise<Iterable<unknown> | AsyncIterable<unknown>> {
    return prepared([ref], () => loadStream(ref));
  }

  /** Sends the items of a stream, as far as its credits allow. Never rejects. */
  private async feed(
    id: number,
    source: Iterable<unknown> | Promise<Iterable<unknown> | AsyncIterable<unknown>>,
  ): Promise<void> {
    const pump = new ItemPump(source, setImmediate);
    const stream: OpenStream = { pump, credits: ITEM_CREDITS, waiter: new Waiter() };
    this.streams.set(id, stream);
    try {
      for (let items = await pump.read(); items !== null; items = await pump.read()) {
        this.post({ type: 'items', stream: id, items });
        stream.credits--;
        if (stream.credits === 0) await stream.waiter.wait();
      }
      this.post({ type: 'over', stream: id });
    } catch (error) {
      pump.close();
      this.post({ type: 'over', stream: id, error: packError(error) });
    }
    this.streams.delete(id);
  }

  private more(id: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    stream.credits++;
    stream.waiter.wake();
  }

  private stop(id: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    stream.pump.close();
    this.more(id);
  }
}

/** Returns the result of `load`, which is called when this thread can import the modules that it needs. */
async function prepared<T>(refs: readonly ModuleRef[], load: () => Promise<T>): Promise<T> {
  for (const { module } of refs) {
    const problem = await prepareTypeScript(module);
    if (problem !== undefined) throw new FatalTaskError('MILLRACE_INVALID_OPTION', `${module} ${problem}`);
  }
  return load();
}

function modulesOf(spec: Workload): readonly ModuleRef[] {
  return spec.kind === 'map' ? spec.members.map(({ ref }) => ref) : [spec.ref];
}

function packEnding(ending: Ending): WireEnding {
  const { error, ...rest } = ending;
  return ending.skip === undefined ? { ...rest, error: packError(error) } : rest;
}

function* packCollected(collected: Iterable<Collected>): Generator<unknown, void, undefined> {
  for (const result of collected) {
    const { failure } = result;
    if (failure === undefined) yield result;
    else yield { ...result, failure: { error: packError(failure.error), key: failure.key } };
  }
}

/** Replaces the parts of a result that cannot be cloned. Only for a chunk whose answer could not be sent as a whole. */
function dropUncloneable(result: ChunkResult, spec: Workload, lineages: readonly number[]): ChunkResult {
  if (spec.kind !== 'map') {
    const reason = whyUncloneable(spec.kind === 'keyed' ? result.changed : result.outputs);
    if (spec.kind !== 'keyed' || reason !== undefined) {
      throw new MillraceError(
        'MILLRACE_UNCLONABLE',
        `A key or state of '${spec.task}' cannot be copied to another thread: ${reason}. Use plain data for states, or run the task inline`,
      );
    }
  }
  const endings = result.endings.map((ending) => ('record' in ending ? soundRecord(ending) : ending));
  const ended = new Set(endings.map(({ index }) => index));
  const outputs = result.outputs.slice();
  const member = spec.kind === 'map' ? spec.members.length - 1 : 0;
  const task = spec.kind === 'map' ? (spec.members[member]?.task ?? '') : spec.task;
  outputs.forEach((output, index) => {
    const reason = ended.has(index) ? undefined : whyUncloneable(output);
    if (reason === undefined) return;
    outputs[index] = undefined;
    const message = `The output of '${task}' for record ${lineages[index] ?? index} cannot be copied to another thread: ${reason}. Return plain data`;
    endings.push({ index, member, error: new MillraceError('MILLRACE_UNCLONABLE', message) });
  });
  endings.sort((left, right) => left.member - right.member || left.index - right.index);
  // Outputs between members are only for observers. An output that cannot be cloned is omitted and does not end its
  // record.
  const between = result.between?.map((made) =>
    made.map((value) => (whyUncloneable(value) === undefined ? value : undefined)),
  );
  return { ...result, outputs, endings, between };
}

function soundRecord(ending: Ending): Ending {
  if (whyUncloneable(ending.record) === undefined) return ending;
  return { ...ending, record: '[a record that cannot be copied to another thread]' };
}
