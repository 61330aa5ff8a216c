/** The configuration of OfferWorkFlow: the keys of the earlier Python tool's files, and new keys. */
import { resolve } from 'node:path';
import { z } from 'zod';

const url = z.url({
  protocol: /^(https?|wss?)$/,
  error: 'expected a URL that starts with http://, https://, ws:// or wss://',
});
const path = z.string().min(1, 'expected a path');

const Keys = z.strictObject({
  name: z.string().min(1).default('OfferWorkFlow'),
  description: z.string().default(''),
  /** The member file, .csv or .csv.gz; relative to the current folder. */
  csv_path: path,
  /** The URLs of the upstreams. If one of the three is missing, the run starts the mock server itself. */
  ats_url: url.optional(),
  resp_url: url.optional(),
  offer_url: url.optional(),
  /** The transport to the mock server. For a configured URL, its scheme decides. */
  transport: z.enum(['http', 'ws']).default('http'),
  result_output_path: path,
  performance_output_path: path,
  /** Default: `result_output_path` with `.dead-letters.ndjson` after it. */
  dead_letter_path: path.optional(),
  /** The end of the count of days since the last transaction, ISO 8601. Default: now. */
  as_of: z.iso.datetime({ offset: true, error: 'expected an ISO 8601 time such as 2025-03-14T21:25:33Z' }).optional(),
  /** Requests in flight for each of the three upstreams. Default: 64 over HTTP, 512 over WebSocket. */
  concurrency: z.int().min(1).max(10_000).optional(),
  /** The most members in flight. */
  window: z.int().min(1).max(1_000_000).optional(),
  /**
   * The engine that reads the member file and computes the features: the stream of this process, SQL in DuckDB (package
   * @duckdb/node-api), or Apache Spark, which executes the code of the stream in its executors (packages @grpc/grpc-js
   * and @uwdata/flechette).
   */
  engine: z.enum(['stream', 'duckdb', 'spark']).default('stream'),
  /**
   * With the engine 'spark': the address of a Spark Connect server, sc://host:port. Its executors must find the member
   * file under the same path.
   */
  spark_remote: z
    .string()
    .regex(/^sc:\/\//, 'expected an address such as sc://host:15002')
    .optional(),
  /**
   * With the engine 'stream': the number of parts in which threads read the member file. 'auto': one per thread for a
   * plain .csv of 32 MiB or more, else one.
   */
  partitions: z
    .union([z.int().min(1).max(256), z.literal('auto')], "expected a whole number from 1, or 'auto'")
    .default('auto'),
  /**
   * The result for a member for whom a request failed. 'drop': no row, but a dead letter. 'empty': a row with empty
   * cells for the missing values, as the earlier Python tool wrote, and no dead letter.
   */
  on_failed_prediction: z.enum(['drop', 'empty']).default('drop'),
  /** Writes the status of each task in the performance summary as `Success` or `Failed`, as the earlier tool did. */
  legacy_summary: z.boolean().default(false),
  /** The timeout per request, in milliseconds. */
  timeout_ms: z.int().min(1).default(30_000),
});

/** The files of a run. No two keys may name the same file. */
const FILES = ['csv_path', 'result_output_path', 'performance_output_path', 'dead_letter_path'] as const;

export const OfferConfig = Keys.superRefine((config, context) => {
  if (config.engine !== 'stream' && config.partitions !== 'auto') {
    context.addIssue({ code: 'custom', path: ['partitions'], message: "expected only with the engine 'stream'" });
  }
  if ((config.engine === 'spark') !== (config.spark_remote !== undefined)) {
    context.addIssue({
      code: 'custom',
      path: ['spark_remote'],
      message: "expected with the engine 'spark', and only with it",
    });
  }
  for (const [index, key] of FILES.entries()) {
    const path = config[key];
    const other = FILES.slice(0, index).find((name) => path !== undefined && isSamePath(config[name], path));
    if (other !== undefined)
      context.addIssue({ code: 'custom', path: [key], message: `expected another file than ${other}` });
  }
});

function isSamePath(one: string | undefined, other: string): boolean {
  return one !== undefined && resolve(one) === resolve(other);
}

export type OfferConfig = z.output<typeof OfferConfig>;
