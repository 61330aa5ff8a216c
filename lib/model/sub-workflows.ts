/**
 * Sub-workflows as groups of tasks, for everything that shows a graph. A group has the sums of the counts of its tasks.
 * In the list of tasks it comes before its tasks, and in the outline of a graph it is one task.
 *
 * Guarantees: each task is shown once. A graph without sub-workflows is its own outline.
 */

/** A task. The task that is the end of a sub-workflow also names the other tasks of the sub-workflow. */
export interface GroupedTask {
  readonly name: string;
  /**
   * All tasks of the sub-workflow except its end, also those of sub-workflows inside it. The first one receives its
   * records.
   */
  readonly members?: readonly string[] | undefined;
}

/** A task in a list. */
export interface ArrangedTask {
  readonly name: string;
  /** The number of sub-workflows around it. */
  readonly depth: number;
}

/** Puts each sub-workflow in front of its tasks. Otherwise the order stays. */
export function arrange(tasks: readonly GroupedTask[]): ArrangedTask[] {
  const groups = groupsAround(tasks);
  const membersOf = new Map(tasks.map(({ name, members }) => [name, members]));
  const arranged: ArrangedTask[] = [];
  const done = new Set<string>();
  const show = (name: string, depth: number): void => {
    // The outermost sub-workflow that is not shown yet comes first.
    const next = (groups.get(name) ?? []).find((group) => !done.has(group)) ?? name;
    if (done.has(next)) return;
    done.add(next);
    arranged.push({ name: next, depth });
    const members = new Set(membersOf.get(next));
    if (members.size > 0) for (const task of tasks) if (members.has(task.name)) show(task.name, depth + 1);
  };
  for (const { name } of tasks) show(name, 0);
  return arranged;
}

/**
 * The counts of a sub-workflow: the records that came in at its first task and out at its end, and the sums of the
 * others over all of its tasks.
 * @param keys the counts to add up.
 */
export function countsOfWhole<Key extends string>(
  { name, members = [] }: GroupedTask,
  keys: readonly Key[],
  countsOf: (task: string) => Readonly<Record<Key | 'in' | 'out', number>> | undefined,
): Record<Key | 'in' | 'out', number> {
  const sums = { in: countsOf(members[0] ?? name)?.in ?? 0, out: countsOf(name)?.out ?? 0 };
  for (const key of keys) {
    Object.assign(sums, { [key]: [...members, name].reduce((sum, task) => sum + (countsOf(task)?.[key] ?? 0), 0) });
  }
  return sums as Record<Key | 'in' | 'out', number>;
}

/** A task of a graph, as an outline needs it. */
export interface OutlinedTask extends GroupedTask {
  readonly dependencies: readonly string[];
  readonly after?: readonly string[];
}

/** A graph in which each sub-workflow is one task. */
export interface Outline<Task> {
  /** Dependencies come before their dependents. */
  readonly tasks: readonly Task[];
  /** The task of the outline that a task of the graph belongs to. */
  readonly placeOf: (task: string) => string;
}

/**
 * The outline of a graph; undefined if there are no sub-workflows, or if a task from outside lies between the first and
 * the last task of one.
 */
export function outlineOf<Task extends OutlinedTask>(graph: readonly Task[]): Outline<Task> | undefined {
  if (graph.every(({ members }) => members === undefined)) return undefined;
  const groups = groupsAround(graph);
  const placeOf = (task: string): string => groups.get(task)?.[0] ?? task;
  const before = new Map<string, Pick<OutlinedTask, 'dependencies' | 'after'>>();
  const places = (name: string, from: readonly string[]): string[] =>
    [...new Set(from.map(placeOf))].filter((place) => place !== name);
  for (const { name, dependencies, after = [] } of graph) {
    const place = placeOf(name);
    const known = before.get(place);
    before.set(place, {
      dependencies: places(place, [...(known?.dependencies ?? []), ...dependencies]),
      after: places(place, [...(known?.after ?? []), ...after]),
    });
  }
  const tasks: Task[] = [];
  const placed = new Set<string>();
  let waiting = graph.filter(({ name }) => placeOf(name) === name);
  while (waiting.length > 0) {
    const [ready, others] = [[] as Task[], [] as Task[]];
    for (const task of waiting) {
      const { dependencies, after = [] } = before.get(task.name) as Pick<OutlinedTask, 'dependencies' | 'after'>;
      const isReady = [...dependencies, ...after].every((name) => placed.has(name));
      if (isReady) placed.add(task.name);
      (isReady ? ready : others).push({ ...task, dependencies, ...(after.length > 0 && { after }) });
    }
    if (ready.length === 0) return undefined;
    tasks.push(...ready);
    waiting = others;
  }
  return { tasks, placeOf };
}

/** By task, the sub-workflows that it belongs to, the outermost first. */
function groupsAround(tasks: readonly GroupedTask[]): Map<string, string[]> {
  const around = new Map<string, string[]>();
  const largestFirst = tasks
    .filter(({ members }) => members !== undefined)
    .sort((a, b) => (b.members?.length ?? 0) - (a.members?.length ?? 0));
  for (const { name, members = [] } of largestFirst) {
    for (const member of members) around.set(member, [...(around.get(member) ?? []), name]);
  }
  return around;
}
