/**
 * The input of each task: the outputs of its dependencies, joined as declared, without the records that earlier
 * incarnations have done.
 */
import { Subject, type Observable } from 'rxjs';
import type { Family } from '../../ledger/family.js';
import type { RootLedger } from '../../ledger/ledger.js';
import type { Batch } from '../../model/record.js';
import { dropPast } from '../../stream/drop-past.js';
import { gather } from '../../stream/gather.js';
import { inRootOrder } from '../../stream/in-root-order.js';
import { joinAligned, joinBranches } from '../../stream/join-aligned.js';
import { joinAll } from '../../stream/join-all.js';
import { joinKeyed, type KeyedKind, type KeyedOptions } from '../../stream/join-keyed.js';
import { joinLatest } from '../../stream/join-latest.js';
import { joinMerge } from '../../stream/join-merge.js';
import type { KeptOutputs } from '../../stream/kept-outputs.js';
import { readOutput } from '../../stream/read-output.js';
import { startOnce } from '../../stream/start-once.js';
import type { RunPast } from '../resume/run-past.js';
import type { Forks } from './forks.js';
import type { WiredTask } from './wired-task.js';

export const DEFAULT_ALL_LIMIT = 1_000_000;
export const DEFAULT_GATHER_LIMIT = 100_000;
export const DEFAULT_KEYED_CAPACITY = 100_000;

export interface InputsOptions {
  readonly isRepeatable: boolean;
  readonly past: RunPast | undefined;
  readonly forks: Forks | undefined;
  /** Makes the record of a task that runs after others: the ends of these tasks. */
  readonly startOf: (task: string) => unknown;
}

export class WiredInputs {
  private readonly tasks: ReadonlyMap<string, WiredTask>;
  private readonly roots: ReadonlyMap<string, RootLedger>;
  /** The families, by the root of the children. */
  private readonly families: ReadonlyMap<string, Family>;
  /** The outputs in flight of the roots whose outputs are kept. */
  private readonly outputs: ReadonlyMap<RootLedger, KeptOutputs>;
  private readonly options: InputsOptions;

  constructor(
    tasks: ReadonlyMap<string, WiredTask>,
    roots: ReadonlyMap<string, RootLedger>,
    families: ReadonlyMap<string, Family>,
    outputs: ReadonlyMap<RootLedger, KeptOutputs>,
    options: InputsOptions,
  ) {
    this.tasks = tasks;
    this.roots = roots;
    this.families = families;
    this.outputs = outputs;
    this.options = options;
  }

  /** The input of a task or of a chain of fused tasks, without the records that earlier incarnations have done. */
  inputOf(chain: readonly WiredTask[]): Observable<Batch<unknown>> {
    const first = chain[0] as WiredTask;
    const { plan, declaration } = first;
    const { inputRoot, node } = plan;
    let input$ = this.join(first);
    if (inputRoot === undefined) return input$;
    if (this.options.isRepeatable && node.bearing === 'boundary' && declaration.task.isRepeatable) {
      input$ = input$.pipe(inRootOrder(this.rootOf(inputRoot)));
    }
    for (const { plan: member } of chain) {
      const isPast = this.options.past?.leftOut(member.node.name, inputRoot, member.node.bearing === 'boundary');
      if (isPast !== undefined) input$ = input$.pipe(dropPast(isPast));
      if (member.node.bearing !== 'inherits') continue;
      const isKept = this.options.forks?.leftOut(member.node.name, inputRoot);
      if (isKept !== undefined) input$ = input$.pipe(dropPast(isKept));
    }
    return input$;
  }

  private join({ plan, joinScope, declaration }: WiredTask): Observable<Batch<unknown>> {
    // Inside of a sub-workflow, a task knows its dependencies by the names that its author gave them.
    const { prefix = '' } = declaration;
    const names = plan.inputs.map(({ label }) => label.slice(prefix.length));
    const inputs = plan.inputs.map(({ task, output }, dependency) => {
      const { output$: all$, plan: from } = this.tasks.get(task) as WiredTask;
      const output$ = from.outputs.size === 0 ? all$ : all$.pipe(readOutput(output));
      const isPast = this.options.past?.enteredJoin(plan.node.name, dependency, from.outputRoot);
      const new$ = isPast === undefined || plan.join === 'gather' ? output$ : output$.pipe(dropPast(isPast));
      if (!this.options.isRepeatable || plan.join !== 'all') return new$;
      return new$.pipe(inRootOrder(this.rootOf(from.outputRoot)));
    });
    const [first] = inputs;
    const options = declaration.join;
    if (plan.node.after !== undefined && plan.inputRoot !== undefined) {
      return startOnce(this.options.startOf(plan.node.name), joinScope);
    }
    if (first === undefined) return new Subject<Batch<unknown>>().asObservable();
    if (plan.join === 'latest') return joinLatest(inputs, names, joinScope);
    if (options?.join === 'keyed') {
      const { capacity = DEFAULT_KEYED_CAPACITY } = options;
      // The types require `kind`, but JavaScript code may omit it.
      const kind = (options.kind as KeyedKind | undefined) ?? 'inner';
      return joinKeyed(inputs, names, { on: options.on as KeyedOptions['on'], kind, capacity }, joinScope);
    }
    if (options?.join === 'all') return joinAll(inputs, names, options.limit ?? DEFAULT_ALL_LIMIT, joinScope);
    if (options?.join === 'gather') {
      const children = this.outputRootOf(plan.node.dependencies[0] as string);
      const family = this.families.get(children) as Family;
      const isCounted = this.options.past?.enteredJoin(plan.node.name, 0, children);
      const origins = this.outputs.get(this.rootOf(children))?.left() ?? [];
      const left = isCounted && { isCounted, origins };
      return gather(first, family, options.limit ?? DEFAULT_GATHER_LIMIT, joinScope, left);
    }
    if (options?.join === 'merge') {
      const { labelled = false } = options;
      return plan.keepsLineage
        ? joinBranches(inputs, names, joinScope, labelled)
        : joinMerge(inputs, names, joinScope, labelled);
    }
    if (inputs.length === 1) return first;
    const { optional = [] } = plan.node;
    if (optional.length === 0) return joinAligned(inputs, names, joinScope);
    const positions = plan.inputs.flatMap(({ label }, index) => (optional.includes(label) ? [index] : []));
    return joinAligned(inputs, names, joinScope, new Set(positions));
  }

  private outputRootOf(task: string): string {
    return (this.tasks.get(task) as WiredTask).plan.outputRoot;
  }

  private rootOf(id: string): RootLedger {
    return this.roots.get(id) as RootLedger;
  }
}
