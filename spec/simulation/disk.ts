/**
 * A disk in memory that separates what was written from what would survive the loss of power.
 *
 * Promises: a crash of the process loses nothing that was written; the loss of power loses what was not synced, or some
 * of it, or leaves nulls in its place; a write may find the disk full and be cut short; an incarnation that another has
 * followed writes nothing any more, as behind a lock.
 */
import { MillraceError } from 'millrace';
import type { Incarnation } from './incarnation.js';
import type { World } from './world.js';

interface Content {
  text: string;
  /** What of it would survive the loss of power. */
  synced: string;
}

/** How far a file had come. */
export type Point = { readonly bytes: number; readonly tail: string };

export class Disk {
  private readonly world: World;
  private names = new Map<string, Content>();
  /** The names that would survive the loss of power. */
  private syncedNames = new Map<string, Content>();

  constructor(world: World) {
    this.world = world;
  }

  /** What a reader sees; undefined where there is no such file. */
  read(path: string): string | undefined {
    return this.names.get(path)?.text;
  }

  /** What a reader would see after the loss of power. */
  surviving(path: string): string | undefined {
    return this.names.get(path)?.synced;
  }

  /** The machine lost power. */
  losePower(): void {
    const { world } = this;
    if (world.chance(0.5)) this.names = new Map(this.syncedNames);
    for (const content of this.names.values()) {
      const { text, synced } = content;
      const rest = text.startsWith(synced) ? text.slice(synced.length) : '';
      const kept = rest.slice(0, world.below(rest.length + 1));
      if (rest.length > 0) world.count('unsynced bytes lost');
      content.text = synced + (world.chance(0.3) ? '\0'.repeat(kept.length) : kept);
      content.synced = content.text;
    }
    this.syncedNames = new Map(this.names);
  }

  wipe(): void {
    this.names.clear();
    this.syncedNames.clear();
  }

  create(incarnation: Incarnation, path: string): Promise<OpenFile> {
    return incarnation.operate('other', () => {
      this.fence(incarnation, path);
      const content = { text: '', synced: '' };
      this.names.set(path, content);
      return new OpenFile(this, incarnation, path, content);
    });
  }

  /** A second file that holds the same. */
  copy(incarnation: Incarnation, from: string, to: string): Promise<void> {
    return incarnation.operate('other', () => {
      this.fence(incarnation, to);
      this.names.set(to, { text: this.names.get(from)?.text ?? '', synced: '' });
    });
  }

  /** Opens the file cut off at the point, as `reopenAt` does. */
  reopen(incarnation: Incarnation, path: string, point: Point): Promise<OpenFile> {
    return incarnation.operate('other', () => {
      this.fence(incarnation, path);
      const content = this.names.get(path);
      const text = content?.text ?? '';
      if (content === undefined || text.length < point.bytes || tailOf(text.slice(0, point.bytes)) !== point.tail) {
        throw new MillraceError('MILLRACE_RESUME', `${path} has ${text.length} bytes, and not what was promised`);
      }
      content.text = text.slice(0, point.bytes);
      return new OpenFile(this, incarnation, path, content);
    });
  }

  /** Does nothing where there is no such file. */
  rename(incarnation: Incarnation, from: string, to: string): Promise<void> {
    return incarnation.operate('other', () => {
      this.fence(incarnation, from);
      const content = this.names.get(from);
      if (content === undefined) return;
      this.names.delete(from);
      this.names.set(to, content);
    });
  }

  remove(incarnation: Incarnation, path: string): Promise<void> {
    return incarnation.operate('other', () => {
      this.fence(incarnation, path);
      this.names.delete(path);
    });
  }

  syncFile(incarnation: Incarnation, path: string): Promise<void> {
    return this.sync(incarnation, path, this.names.get(path) as Content);
  }

  /** Makes the names durable; syncing a file does not do that. */
  syncFolder(incarnation: Incarnation): Promise<void> {
    return incarnation.operate('other', () => {
      this.syncedNames = new Map(this.names);
    });
  }

  append(incarnation: Incarnation, path: string, content: Content, text: string): Promise<void> {
    return incarnation.operate('write', (isFull) => {
      this.fence(incarnation, path);
      if (isFull) {
        this.world.count('disk full, short write');
        content.text += text.slice(0, this.world.below(text.length));
        throw new MillraceError('MILLRACE_FILE', `Cannot write ${path}: no space left`);
      }
      content.text += text;
    });
  }

  sync(incarnation: Incarnation, path: string, content: Content): Promise<void> {
    return incarnation.operate('other', () => {
      this.fence(incarnation, path);
      content.synced = content.text;
    });
  }

  private fence(incarnation: Incarnation, path: string): void {
    if (!incarnation.isZombie) return;
    this.world.count('zombie write refused');
    throw new MillraceError('MILLRACE_FILE', `Cannot write ${path}: another incarnation has it`);
  }
}

/** A file that one incarnation writes. */
export class OpenFile {
  private readonly disk: Disk;
  private readonly incarnation: Incarnation;
  private readonly path: string;
  private readonly content: Content;
  private isOpen = true;

  constructor(disk: Disk, incarnation: Incarnation, path: string, content: Content) {
    this.disk = disk;
    this.incarnation = incarnation;
    this.path = path;
    this.content = content;
    incarnation.files++;
  }

  get length(): number {
    return this.content.text.length;
  }

  append(text: string): Promise<void> {
    return this.disk.append(this.incarnation, this.path, this.content, text);
  }

  sync(): Promise<void> {
    return this.disk.sync(this.incarnation, this.path, this.content);
  }

  /** The point behind so many bytes, which must be in the file. */
  pointAt(bytes: number): Point {
    return { bytes, tail: tailOf(this.content.text.slice(0, bytes)) };
  }

  close(): void {
    if (this.isOpen) this.incarnation.files--;
    this.isOpen = false;
  }
}

export function tailOf(text: string): string {
  return text.slice(-40);
}
