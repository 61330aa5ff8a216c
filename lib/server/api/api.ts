/** The parts that the routes of the API share. */
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Catalog } from '../catalog.js';
import type { RecordStories } from '../runs/record-stories.js';
import type { RunViews } from '../runs/run-views.js';
import type { ServerStore } from '../store/server-store.js';
import type { Pause } from '../schedules/stored-schedule.js';
import type { KnownTrigger } from '../triggers/known-triggers.js';
import type { Supervisor } from '../supervisor.js';
import type { Access } from './access.js';
import type { LiveStreams } from './live.js';
import type { ZodProvider } from './zod-provider.js';

/** A server among those that share a store. Times are milliseconds since 1970. */
export interface ServerFacts {
  /** Grows with each server that joins. */
  readonly number: number;
  readonly host: string;
  readonly url: string;
  readonly pools: Readonly<Record<string, number>>;
  readonly maxRuns: number;
  readonly startedAt: number;
  /** The last renewal of its lease, by the clock of the database. */
  readonly renewedAt: number;
  /** Whether it decides ticks. */
  readonly isLeader: boolean;
  /** Whether it is the one that answers. */
  readonly isThis: boolean;
}

/** The parts of a server that its API uses. */
export interface ApiPorts {
  readonly store: ServerStore;
  readonly supervisor: Supervisor;
  readonly catalog: Catalog;
  /** Resolves when the workflows were described once, or could not be, or the server closes. */
  readonly firstDescription: Promise<void>;
  readonly views: RunViews;
  readonly stories: RecordStories;
  readonly now: () => number;
  /** The folder of runs, and the folder of the output of their processes; absolute. */
  readonly runs: string;
  readonly output: string;
  /** The folder for copies of the store. */
  readonly backups: string;
  /** The environment of the server, which has the secrets of webhooks. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly triggers: () => readonly KnownTrigger[];
  /** The pause of a trigger; undefined for one that is not paused. */
  readonly triggerPause: (triggerId: string) => Pause | undefined;
  /** Pauses a trigger, or resumes it with null. */
  readonly pauseTrigger: (triggerId: string, pause: Pause | null) => Promise<void>;
  /** The problem with the files of a trigger; '' if there is none. */
  readonly fileProblem: (triggerId: string) => string;
  /** The reason why no run may start, in one sentence; '' if runs may start. */
  readonly obstacle: () => string;
  readonly maxRuns: number;
  /** The sizes of the pools, by name. */
  readonly pools: ReadonlyMap<string, number>;
  readonly startedAt: number;
  /** The servers that share the store, by number; empty for the only server of a store. */
  readonly servers: () => readonly ServerFacts[];
  /** Asks for a pass soon. */
  readonly poke: () => void;
}

export interface Api extends ApiPorts {
  readonly http: FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodProvider>;
  readonly access: Access;
  readonly live: LiveStreams;
}

/** An error with a status, for the answer. */
export function httpError(statusCode: number, code: string, message: string): Error {
  return Object.assign(new Error(message), { statusCode, code });
}

/** Records an action of a user. */
export function audit(
  { store, now }: Api,
  { user }: Pick<FastifyRequest, 'user'>,
  what: string,
  subject: string,
): Promise<void> {
  return store.addAudit({ at: now(), who: user?.name ?? '', what, subject });
}
