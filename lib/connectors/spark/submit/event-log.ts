/**
 * The event log of Spark, read while Spark writes it: the id of the application, and the number of its finished tasks.
 *
 * Guarantees: memory does not depend on the length of the log.
 */
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** The settings of Spark that write the log into a folder of this machine, line by line. */
export function eventLogSettings(folder: string): Readonly<Record<string, string>> {
  return {
    'spark.eventLog.enabled': 'true',
    'spark.eventLog.dir': `file://${folder}`,
    'spark.eventLog.compress': 'false',
    'spark.eventLog.rolling.enabled': 'false',
  };
}

const BLOCK_BYTES = 256 * 1024;
/** The most characters that are kept of a line: only lines of stages are longer, and their numbers come first. */
const MAX_LINE = 4 * 1024 * 1024;

export class EventLog {
  private readonly folder: string;
  private readonly decoder = new TextDecoder();
  private file: FileHandle | undefined;
  private at = 0;
  private line = '';
  /** The id of the application, once it is known. */
  applicationId: string | undefined;
  completed = 0;
  total = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Reads what has been written since the last call. */
  async read(): Promise<void> {
    this.file ??= await this.open();
    if (this.file === undefined) return;
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    for (;;) {
      const { bytesRead } = await this.file.read(block, 0, BLOCK_BYTES, this.at);
      if (bytesRead === 0) return;
      this.at += bytesRead;
      this.accept(this.decoder.decode(block.subarray(0, bytesRead), { stream: true }));
    }
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  /** The log gets another name when the application has ended; an open file stays the same. */
  private async open(): Promise<FileHandle | undefined> {
    const [name] = await readdir(this.folder).catch(() => []);
    return name === undefined ? undefined : open(join(this.folder, name)).catch(() => undefined);
  }

  private accept(text: string): void {
    const lines = text.split('\n');
    lines[0] = this.line + (lines[0] as string);
    const last = lines.pop() as string;
    this.line = last.length > MAX_LINE ? last.slice(0, MAX_LINE) : last;
    for (const line of lines) this.count(line);
  }

  private count(line: string): void {
    // Most lines are large, and concern something else.
    const event = /^\{"Event":"SparkListener(\w+)"/.exec(line)?.[1];
    if (event === 'TaskEnd') {
      if (line.includes('"Task End Reason":{"Reason":"Success"}')) this.completed++;
    } else if (event === 'StageSubmitted') {
      this.total += Number(/"Number of Tasks":(\d+)/.exec(line)?.[1] ?? 0);
    } else if (event === 'ApplicationStart') {
      this.applicationId = /"App ID":"([^"]+)"/.exec(line)?.[1];
    }
  }
}
