/**
 * The views of runs, read from the recordings of their events, which grow while a run is at work.
 *
 * Guarantees: each byte of a recording is read once while its view is in use; at most `MOST_VIEWS` views are kept. A
 * line that is not an event is skipped, because a page must not fail on it.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { RunEvent } from '../../model/events.js';
import type { RunHistory } from './run-history.js';
import { RunViewBuilder, type RunView } from './run-view.js';

const MOST_VIEWS = 32;
const BLOCK_BYTES = 256 * 1024;

interface Reading {
  builder: RunViewBuilder;
  decoder: StringDecoder;
  offset: number;
  rest: string;
  view: RunView | undefined;
  /** Readers wait for each other. */
  turn: Promise<void>;
}

export class RunViews {
  private readonly runs: string;
  private readonly readings = new Map<string, Reading>();

  /** @param runs the folder of runs, absolute. */
  constructor(runs: string) {
    this.runs = runs;
  }

  /** The view of a run up to now; undefined before its first event. `runId` is one of the store. */
  async view(runId: string): Promise<RunView | undefined> {
    return (await this.read(runId)).view;
  }

  /** The run over time; undefined before its first event. `runId` is one of the store. */
  async history(runId: string): Promise<RunHistory | undefined> {
    return (await this.read(runId)).builder.history();
  }

  private async read(runId: string): Promise<Reading> {
    const reading = this.readings.get(runId) ?? newReading();
    // Moves the view to the end, so that the view used longest ago is forgotten first.
    this.readings.delete(runId);
    this.readings.set(runId, reading);
    const oldest = this.readings.keys().next();
    if (this.readings.size > MOST_VIEWS && oldest.done !== true) this.readings.delete(oldest.value);
    const before = reading.turn.catch(() => undefined);
    reading.turn = before.then(() => this.readOn(runId, reading));
    await reading.turn;
    return reading;
  }

  private async readOn(runId: string, reading: Reading): Promise<void> {
    const file = await open(join(this.runs, runId, 'events.ndjson'), 'r').catch(() => undefined);
    if (file === undefined) return;
    try {
      // A recording that was replaced is read again.
      if ((await file.stat()).size < reading.offset) Object.assign(reading, newReading(), { turn: reading.turn });
      if (await readBlocks(file, reading)) reading.view = reading.builder.build();
    } finally {
      await file.close();
    }
  }
}

/** Returns whether there was an event. */
async function readBlocks(file: FileHandle, reading: Reading): Promise<boolean> {
  let hasNews = false;
  const buffer = Buffer.alloc(BLOCK_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, BLOCK_BYTES, reading.offset);
    if (bytesRead === 0) return hasNews;
    reading.offset += bytesRead;
    const lines = (reading.rest + reading.decoder.write(buffer.subarray(0, bytesRead))).split('\n');
    reading.rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = eventIn(line);
      if (event === undefined) continue;
      reading.builder.record(event);
      hasNews = true;
    }
  }
}

function eventIn(line: string): RunEvent | undefined {
  try {
    const event = JSON.parse(line) as Partial<RunEvent> | null;
    return typeof event === 'object' && event !== null && typeof event.type === 'string' && typeof event.at === 'number'
      ? (event as RunEvent)
      : undefined;
  } catch {
    return undefined;
  }
}

function newReading(): Reading {
  const fresh = { offset: 0, rest: '', view: undefined, turn: Promise.resolve() };
  return { builder: new RunViewBuilder(), decoder: new StringDecoder('utf8'), ...fresh };
}
