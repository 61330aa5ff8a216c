/**
 * A file on the simulated disk as a sink, with what a CSV sink does: a buffer in the process, `.part` until the run has
 * completed, and points that a later incarnation goes back to. A row is `[lineage, record]` as JSON.
 */
import type { OperatorFunction } from 'rxjs';
import { MillraceError, BaseTask, type RunOutcome, type TaskScope } from 'millrace';
import type { Batch } from '#lib/model/record.js';
import { writeBatches } from '#lib/stream/write-batches.js';
import type { Value } from '../support/random-tasks.js';
import { tailOf, type Disk, type OpenFile, type Point } from './disk.js';
import type { Incarnation } from './incarnation.js';

/** Bytes in the buffer from which a write waits. */
const ROOM = 200;

export interface FileSinkParts {
  readonly path: string;
  readonly disk: Disk;
  readonly incarnation: Incarnation;
  readonly ordered: boolean;
}

export class FileSink extends BaseTask<Value, Value> {
  override readonly kind = 'file';
  override readonly isDurable = true;
  readonly parts: FileSinkParts;
  private file: OpenFile | undefined;
  private buffer = '';
  /** Bytes taken so far, those of earlier incarnations too. */
  private bytes = 0;
  private writing: Promise<void> | undefined;
  private failure: { readonly error: unknown } | undefined;

  constructor(parts: FileSinkParts) {
    super();
    this.parts = parts;
  }

  override async open({ past }: TaskScope): Promise<void> {
    const { disk, incarnation, path } = this.parts;
    const point = past?.position as Point | undefined;
    if (point === undefined) {
      this.file = await disk.create(incarnation, `${path}.part`);
      await disk.syncFolder(incarnation);
      return;
    }
    const whole = disk.read(path);
    const isNamed = whole?.length === point.bytes && tailOf(whole) === point.tail;
    if (disk.read(`${path}.part`) === undefined && isNamed) {
      await disk.copy(incarnation, path, `${path}.part.copy`);
      await disk.syncFile(incarnation, `${path}.part.copy`);
      await disk.rename(incarnation, `${path}.part.copy`, `${path}.part`);
      await disk.syncFolder(incarnation);
    }
    this.file = await disk.reopen(incarnation, `${path}.part`, point);
    this.bytes = point.bytes;
  }

  override async persist(): Promise<Point> {
    const { bytes } = this;
    await this.flush();
    const file = this.file as OpenFile;
    await file.sync();
    return file.pointAt(bytes);
  }

  override async close(outcome: RunOutcome): Promise<void> {
    const { file } = this;
    const { disk, incarnation, path } = this.parts;
    if (file === undefined) return;
    try {
      if (outcome !== 'completed') {
        this.failure ??= { error: new MillraceError('MILLRACE_ABORTED', `${path} was given up`) };
        await this.writing;
        return;
      }
      await this.flush();
      await file.sync();
      await disk.rename(incarnation, `${path}.part`, path);
      await disk.syncFolder(incarnation);
    } finally {
      file.close();
    }
  }

  override operator(scope: TaskScope): OperatorFunction<Batch<Value>, Batch<Value>> {
    return writeBatches<Value, string>(
      {
        encode: (record, lineage) => `${JSON.stringify([lineage, record])}\n`,
        write: (rows) => this.write(rows),
        ordered: this.parts.ordered,
      },
      scope,
    );
  }

  /** Rows are put only once there is room, so that what was put has left the task in the same turn. */
  private write(rows: readonly string[]): void | Promise<void> {
    const isWaiting = this.bytes - (this.file?.length ?? 0) > ROOM;
    if (!isWaiting && this.failure === undefined) {
      this.put(rows);
      return undefined;
    }
    return this.flush().then(() => {
      this.put(rows);
    });
  }

  private put(rows: readonly string[]): void {
    this.buffer += rows.join('');
    this.bytes += rows.join('').length;
    // Whoever waits next meets what went wrong.
    this.flush().catch(() => undefined);
  }

  /** Everything taken so far is in the file, or there is an error. */
  private async flush(): Promise<void> {
    while (this.failure === undefined && (this.buffer !== '' || this.writing !== undefined)) {
      this.writing ??= this.writeBuffer();
      await this.writing;
    }
    if (this.failure !== undefined) throw this.failure.error;
  }

  private async writeBuffer(): Promise<void> {
    const text = this.buffer;
    this.buffer = '';
    try {
      await this.file?.append(text);
    } catch (error) {
      this.failure = { error };
    } finally {
      this.writing = undefined;
    }
  }
}
