/**
 * The names of workers in messages: the machine and the process. The id of a member of the group begins with the name of
 * its worker, so tools of Kafka show it too.
 */
import { hostname } from 'node:os';
import type { GroupMember } from '../connectors/kafka/port.js';

/** The length of a UUID and of the dash before it. */
const UNIQUE_LENGTH = 37;
/** The most names in a message. */
const MOST_NAMES = 3;

/** The name of the worker in a process of this machine. */
export function workerName(pid: number = process.pid): string {
  return `${hostname()}-${pid}`;
}

/** An id for a member of a group. No two calls return the same one. */
export function newMemberId(): string {
  return `${workerName()}-${globalThis.crypto.randomUUID()}`;
}

/** The name of the worker that has this id. Other programs in the group have ids of other forms. */
export function nameOfMember({ member }: Pick<GroupMember, 'member'>): string {
  return member.length > UNIQUE_LENGTH ? member.slice(0, -UNIQUE_LENGTH) : member;
}

/** Names for a sentence: `worker a`, `workers a, b and 2 more`. */
export function listOfWorkers(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(', ');
  const rest = names.length - MOST_NAMES;
  return `worker${names.length === 1 ? '' : 's'} ${shown}${rest > 0 ? ` and ${rest} more` : ''}`;
}
