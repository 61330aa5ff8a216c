/** Emits the events about the run as a whole: its start with its definition, its progress, and its end. */
import { codeOf, describeThrown } from '../../model/errors.js';
import { EVENT_VERSION, type RunEvent } from '../../model/events.js';
import { maskSecrets } from '../../text/mask-secrets.js';
import type { RunOutcome } from '../../model/ports.js';
import type { RunSummary } from '../../model/run-summary.js';
import { ResourceWatch } from '../../observe/resources.js';
import { systemClock } from '../../model/clock.js';
import type { EventStream } from './event-stream.js';
import type { RunExecutor } from './run-executor.js';
import { graphOfRun } from './run-graph.js';
import { RunMetrics } from '../watch/run-metrics.js';
import type { RunParts } from './run-parts.js';
import type { RunServices } from '../wiring/services.js';
import type { Secrets } from '../../text/secrets.js';
import type { PhaseOrder } from './phase-order.js';
import { summarizeRun } from './summary.js';
import type { Wiring } from '../wiring/wiring.js';

export class RunReport {
  private readonly parts: RunParts;
  private readonly wiring: Wiring;
  private readonly executor: RunExecutor;
  private readonly events: EventStream;
  private readonly metrics: RunMetrics;
  private readonly startedAt: number;
  private readonly secrets: Secrets;
  private readonly phases: PhaseOrder;
  /** Undefined in virtual time, in which the seconds of the run are not those of the process. */
  private readonly resources: ResourceWatch | undefined;

  constructor(
    parts: RunParts,
    wiring: Wiring,
    services: RunServices,
    executor: RunExecutor,
    events: EventStream,
    phases: PhaseOrder,
  ) {
    this.parts = parts;
    this.phases = phases;
    this.wiring = wiring;
    this.executor = executor;
    this.events = events;
    this.metrics = new RunMetrics(wiring, services);
    this.startedAt = parts.clock.now();
    this.secrets = services.secrets;
    if (parts.clock === systemClock) this.resources = new ResourceWatch();
  }

  /** Emits `run-started`, with the facts that a reader in another process needs first. */
  introduce(): void {
    const { runId, workflow, description, plan, declarations, fusions, window, threads, seed, clock, config } =
      this.parts;
    const graph = graphOfRun(plan, declarations);
    const facts = {
      runId,
      workflow,
      description,
      graph,
      hops: fusions.hops,
      window,
      threads,
      seed,
      config: maskSecrets(config),
    };
    this.emit({ type: 'run-started', version: EVENT_VERSION, at: clock.now(), ...facts });
    if (this.events.isObserved) this.resources?.watch();
  }

  /** Emits the progress of the run, while there is a subscriber: in a large graph it is the largest cost. */
  measure(): void {
    const { events, resources } = this;
    if (!events.isObserved) {
      resources?.rest();
      return;
    }
    this.emit(this.metrics.progress());
    const at = this.parts.clock.now();
    const records = this.metrics.slowNews();
    if (records.length > 0) this.emit({ type: 'slow-records', at, records });
    if (resources === undefined) return;
    resources.watch();
    const pool = this.executor.stats();
    this.emit({ type: 'resources', at, process: resources.look(), ...(pool.size > 0 ? { pool } : {}) });
  }

  /** Stops the measurements. */
  rest(): void {
    this.resources?.rest();
  }

  summarize(outcome: RunOutcome, failure: unknown): RunSummary {
    const { runId, workflow, description, clock } = this.parts;
    const threads = this.executor.stats();
    const lettersBefore = this.wiring.past?.lettersKept ?? 0;
    const head = {
      ...(lettersBefore > 0 ? { lettersBefore } : {}),
      runId,
      workflow,
      description,
      outcome,
      startedAt: this.startedAt,
      endedAt: clock.now(),
      ...(this.resources === undefined ? {} : { resources: this.resources.peaks() }),
      ...(threads.size > 0 ? { threads } : {}),
    };
    const { secrets, wiring, metrics } = this;
    if (outcome !== 'failed') return secrets.data(summarizeRun(wiring, metrics, head, this.phases));
    const error = { code: codeOf(failure), message: secrets.message(describeThrown(failure)) };
    return secrets.data(summarizeRun(wiring, metrics, { ...head, error }, this.phases));
  }

  private emit(event: RunEvent): void {
    this.events.emit(event);
  }
}
