/**
 * The file triggers of a server: finds files, and requests their runs.
 *
 * Guarantees: a file is marked as seen only when its run is stored, so no file is lost if a server dies in between; the
 * next server does not start it again, because the store knows its event.
 */
import { Arrivals } from './arrivals.js';
import type { KnownTrigger } from './known-triggers.js';
import type { TriggerEvent } from '../supervisor.js';

export interface FileWatchPorts {
  /** The folder to which paths are relative; absolute. */
  readonly folder: string;
  readonly triggers: () => readonly KnownTrigger[];
  readonly deliver: (trigger: KnownTrigger, event: TriggerEvent) => Promise<unknown>;
  /** Whether the queue has room. */
  readonly hasRoom: () => Promise<boolean>;
}

export class FileWatch {
  private readonly ports: FileWatchPorts;
  private readonly watched = new Map<string, { readonly files: string; readonly arrivals: Arrivals }>();
  private readonly problems = new Map<string, string>();

  constructor(ports: FileWatchPorts) {
    this.ports = ports;
  }

  /** The problem with the files of a trigger, in one sentence; '' if there is none. */
  problemOf(triggerId: string): string {
    return this.problems.get(triggerId) ?? '';
  }

  /** Looks once, and requests the runs of the files that have arrived. */
  async look(): Promise<void> {
    const { folder, triggers, deliver, hasRoom } = this.ports;
    const present = new Set<string>();
    for (const known of triggers()) {
      const { id, trigger } = known;
      if (!('files' in trigger)) continue;
      present.add(id);
      const { files } = trigger;
      const before = this.watched.get(id);
      const watched = before?.files === files ? before : { files, arrivals: new Arrivals(folder, files) };
      this.watched.set(id, watched);
      const { arrivals, problem } = await watched.arrivals.look();
      this.problems.set(id, problem);
      for (const arrival of arrivals) {
        if (!(await hasRoom())) return;
        await deliver(known, { key: arrival.key, subject: arrival.path });
        watched.arrivals.acknowledge(arrival);
      }
    }
    for (const id of this.watched.keys()) {
      if (present.has(id)) continue;
      this.watched.delete(id);
      this.problems.delete(id);
    }
  }
}
