/**
 * Recognises a run whose topics were deleted, all of them or some. Begun again under its id, it would write its results a
 * second time.
 *
 * The description of a run is written last, after all its topics, and no worker begins before it has read the
 * description. So these are traces of a run that has had one: records in its topics, the group of its workers, and the
 * transactional ids of its lanes. A creation that died halfway leaves none of them.
 *
 * Guarantees: reads only. A process that may not see the group or the transactional ids finds the other traces.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaPort, TopicDescription } from '../connectors/kafka/port.js';
import { codeOf, MillraceError } from '../model/errors.js';
import { counted } from '../text/printable.js';
import type { StagePlan } from './stages.js';

/** How long a broker that is busy may not know a topic that another one has created. */
const UNKNOWN_TOPIC_MS = 3000;
const LOOK_EVERY_MS = 100;
/** The most topics that a message names. */
const MOST_NAMES = 3;

/** The topics, among these, that no broker knows. */
export async function missingOf(client: KafkaPort, names: readonly string[]): Promise<readonly string[]> {
  const latest = performance.now() + UNKNOWN_TOPIC_MS;
  for (let missing = names; ;) {
    missing = await unknownOf(client, missing);
    if (missing.length === 0 || performance.now() > latest) return missing;
    await sleep(LOOK_EVERY_MS);
  }
}

/**
 * The traces of a run, as parts of a sentence; none for a run that has never begun. A caller that finds traces must look
 * for the description after that: another process may have written it, and its workers may have begun, in the meantime.
 */
export async function tracesOf(client: KafkaPort, plan: StagePlan, topics: readonly string[]): Promise<string[]> {
  const unknown = new Set(await unknownOf(client, topics));
  const filled: string[] = [];
  for (const name of topics.filter((one) => !unknown.has(one))) {
    const ends = await client.offsets(await client.describe(name), 'end');
    if (ends.some((end) => end > 0)) filled.push(name);
  }
  const hasGroup = (await ifAllowed(client.members(plan.group, ''))) !== undefined;
  const lanes = new RegExp(`^${plan.group.replace(/[.]/g, '\\.')}\\.\\d+$`);
  const known = (await ifAllowed(client.transactions())) ?? [];
  const began = known.filter(({ transactionalId }) => lanes.test(transactionalId)).length;
  return [
    ...(filled.length === 0 ? [] : [`records in ${listOf(filled)}`]),
    ...(hasGroup ? [`the group '${plan.group}' of its workers`] : []),
    ...(began === 0 ? [] : [`the transactions of ${counted(began, 'lane')}`]),
  ];
}

/** Throws MILLRACE_RESUME if a topic was deleted and created again since the run was described. */
export function assertSameTopics(
  plan: StagePlan,
  described: Readonly<Record<string, string>> | undefined,
  topics: Iterable<TopicDescription>,
): void {
  const others = [...topics].filter(({ name, id }) => (described?.[name] ?? id) !== id).map(({ name }) => name);
  if (others.length === 0) return;
  throw lostRun(plan, `${listOf(others)} ${others.length === 1 ? 'was' : 'were'} deleted and created again`, []);
}

/** The error for a run without these topics. */
export function lostTopics(plan: StagePlan, missing: readonly string[], traces: readonly string[]): MillraceError {
  return lostRun(plan, `${listOf(missing)} ${missing.length === 1 ? 'is' : 'are'} missing`, traces);
}

/** The error for a run that cannot be continued. `what` is a part of a sentence. */
export function lostRun({ run, workflow }: StagePlan, what: string, traces: readonly string[]): MillraceError {
  const known = traces.length === 0 ? '' : `. The run has begun before, as these show: ${traces.join(', ')}`;
  return new MillraceError(
    'MILLRACE_RESUME',
    `Run '${run}' of '${workflow}' has lost its progress: ${what}${known}. Begun again, it would write its results a second time. Remove its results, and start a run under another id. \`millrace topics delete\` removes the topics that are left`,
  );
}

function listOf(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => `'${name}'`);
  const rest = names.length - shown.length;
  return `topic${names.length === 1 ? '' : 's'} ${shown.join(', ')}${rest === 0 ? '' : ` and ${rest} more`}`;
}

async function unknownOf(client: KafkaPort, names: readonly string[]): Promise<readonly string[]> {
  const unknown: string[] = [];
  for (const name of names) if (!(await client.hasTopic(name))) unknown.push(name);
  return unknown;
}

/** Undefined if the brokers refuse the request, which needs rights of its own. */
async function ifAllowed<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (codeOf(error) === 'MILLRACE_KAFKA') return undefined;
    throw error;
  }
}
