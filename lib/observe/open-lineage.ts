/**
 * Converts the events of a run into OpenLineage run events (openlineage.io, specification 2-0-2): START at the
 * beginning, and COMPLETE, FAIL or ABORT at the end. The data that sources read and other tasks write are the datasets.
 */
import { versionOfMillrace } from './version.js';
import { createHash } from 'node:crypto';
import type { GraphTask, RunEvent } from '../model/events.js';
import { maskText } from '../text/mask-secrets.js';
import { oneLine } from '../text/printable.js';
import type { RunSummary } from '../model/run-summary.js';
import { entry } from '../text/entry.js';

export type LineageEventType = 'START' | 'COMPLETE' | 'FAIL' | 'ABORT';

interface Facet {
  readonly _producer: string;
  readonly _schemaURL: string;
  readonly [field: string]: unknown;
}
type Facets = Readonly<Record<string, Facet>>;

export interface LineageDataset {
  readonly namespace: string;
  readonly name: string;
  readonly facets: Facets;
  readonly outputFacets?: Facets;
}

/** One event, as JSON. */
export interface LineageEvent {
  readonly eventType: LineageEventType;
  /** ISO 8601. */
  readonly eventTime: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: Facets };
  readonly inputs: readonly LineageDataset[];
  readonly outputs: readonly LineageDataset[];
  readonly producer: string;
  readonly schemaURL: string;
}

const PRODUCER = 'https://www.npmjs.com/package/millrace';
const SPEC = 'https://openlineage.io/spec';
const TYPES = { completed: 'COMPLETE', failed: 'FAIL', cancelled: 'ABORT', drained: 'ABORT' } as const;

/** Creates the lineage events of one run. */
export class LineageReporter {
  private readonly namespace: string;
  private start: Extract<RunEvent, { type: 'run-started' }> | undefined;

  /** @param namespace the namespace of the job, which separates its name from the names of other teams. */
  constructor(namespace: string) {
    this.namespace = namespace;
  }

  /** The lineage event for the start or the end of the run; undefined for every other event. */
  record(event: RunEvent): LineageEvent | undefined {
    if (event.type === 'run-started') {
      this.start = event;
      return this.eventOf('START', event.at);
    }
    if (event.type !== 'run-ended') return undefined;
    return this.eventOf(TYPES[event.outcome], event.at, event.summary);
  }

  private eventOf(eventType: LineageEventType, at: number, summary?: RunSummary): LineageEvent | undefined {
    if (this.start === undefined) return undefined;
    const { runId, workflow, description, graph } = this.start;
    const error = summary?.error;
    return {
      eventType,
      eventTime: new Date(at).toISOString(),
      run: {
        runId: uuidOf(runId),
        facets: {
          processing_engine: facet('1-1-0/ProcessingEngineRunFacet', {
            name: 'millrace',
            version: versionOfMillrace(),
          }),
          ...(error && {
            errorMessage: facet('1-0-0/ErrorMessageRunFacet', {
              message: maskText(oneLine(`${error.code}: ${error.message}`)),
              programmingLanguage: 'JAVASCRIPT',
            }),
          }),
        },
      },
      job: {
        namespace: this.namespace,
        name: workflow,
        facets: {
          jobType: facet('2-0-4/JobTypeJobFacet', { processingType: 'BATCH', integration: 'MILLRACE', jobType: 'DAG' }),
          ...(description !== '' && { documentation: facet('1-0-0/DocumentationJobFacet', { description }) }),
        },
      },
      inputs: graph.filter(({ bearing }) => bearing === 'source').flatMap((task) => datasetOf(task)),
      outputs: graph.filter(({ bearing }) => bearing !== 'source').flatMap((task) => datasetOf(task, summary)),
      producer: PRODUCER,
      schemaURL: `${SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent`,
    };
  }
}

/** An empty list if the task has no dataset. */
function datasetOf({ name: task, dataset }: GraphTask, summary?: RunSummary): LineageDataset[] {
  if (dataset === undefined) return [];
  const { namespace, name, fields } = dataset;
  const schema = fields && {
    schema: facet('1-0-0/SchemaDatasetFacet', { fields: fields.map((field) => ({ name: field })) }),
  };
  const rowCount = (summary && entry(summary.tasks, task))?.out;
  const statistics = rowCount !== undefined && {
    outputFacets: { outputStatistics: facet('1-0-0/OutputStatisticsOutputDatasetFacet', { rowCount }) },
  };
  return [{ namespace, name, facets: { ...schema }, ...statistics }];
}

function facet(schema: string, fields: Readonly<Record<string, unknown>>): Facet {
  const name = schema.split('/')[1] ?? '';
  return { _producer: PRODUCER, _schemaURL: `${SPEC}/facets/${schema}.json#/$defs/${name}`, ...fields };
}

/** A name-based UUID (version 5, RFC 9562). It is the same in every incarnation of the run. */
function uuidOf(runId: string): string {
  const hash = createHash('sha1').update(`millrace run ${runId}`).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
