/**
 * What OpenLineage 2-0-2 demands of a run event and of the facets that are used, written down from its specification.
 */
const uri = { type: 'string', format: 'uri' };
const text = { type: 'string' };

const facet = (properties: object = {}, required: readonly string[] = []): object => ({
  type: 'object',
  properties: { _producer: uri, _schemaURL: uri, ...properties },
  required: ['_producer', '_schemaURL', ...required],
});
const facets = (known: Readonly<Record<string, object>>): object => ({
  type: 'object',
  properties: known,
  additionalProperties: facet(),
});
const fields = {
  type: 'array',
  items: { type: 'object', properties: { name: text, type: text }, required: ['name'] },
};
const dataset = (more: object = {}): object => ({
  type: 'object',
  properties: { namespace: text, name: text, facets: facets({ schema: facet({ fields }) }), ...more },
  required: ['namespace', 'name'],
});

export const RUN_EVENT_SCHEMA = {
  type: 'object',
  properties: {
    eventType: { enum: ['START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER'] },
    eventTime: { type: 'string', format: 'date-time' },
    run: {
      type: 'object',
      properties: {
        runId: { type: 'string', format: 'uuid' },
        facets: facets({
          processing_engine: facet({ version: text, name: text }, ['version']),
          errorMessage: facet({ message: text, programmingLanguage: text }, ['message', 'programmingLanguage']),
        }),
      },
      required: ['runId'],
    },
    job: {
      type: 'object',
      properties: {
        namespace: text,
        name: text,
        facets: facets({
          jobType: facet({ processingType: text, integration: text, jobType: text }, ['processingType', 'integration']),
          documentation: facet({ description: text }, ['description']),
        }),
      },
      required: ['namespace', 'name'],
    },
    inputs: { type: 'array', items: dataset() },
    outputs: {
      type: 'array',
      items: dataset({
        outputFacets: facets({ outputStatistics: facet({ rowCount: { type: 'integer' } }, ['rowCount']) }),
      }),
    },
    producer: uri,
    schemaURL: uri,
  },
  required: ['eventTime', 'producer', 'schemaURL', 'run', 'job'],
};
