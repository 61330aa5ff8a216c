/**
 * The JSON form of the faults, and its validation.
 *
 * Guarantees: an unknown fault, a misspelt route or a number out of range is refused with the path of the first
 * problem, and the faults in force do not change; an accepted set has every default filled in.
 *
 * Every fault that is drawn per request has the options `p` (probability, default 1) and `times` (the most firings).
 */
import { z } from 'zod';
import { pathText } from './bodies.js';
import type { BodyProblem } from './bodies.js';
import { LONGEST_MS, latencySchema } from './latency.js';
import { routeNames } from './operations.js';

const probability = z.number().min(0).max(1);
const milliseconds = z.number().min(0).max(LONGEST_MS);
/** `times` is absent when there is no bound. */
const chance = { p: probability.default(1), times: z.int().min(1).optional() };
/** The form of the Retry-After header: a number of seconds, an HTTP date, or no header. */
const retryAfter = z.enum(['seconds', 'date', 'none']).default('seconds');
const route = z.enum(routeNames as [string, ...string[]], {
  error: (issue) => `Expected one of ${routeNames.join(', ')}, got ${JSON.stringify(issue.input)}`,
});

const faultSetSchema = z.strictObject({
  /** Limits the whole set to these routes (HTTP paths, JSON-RPC methods, `upgrade`). Default: all but `upgrade`. */
  route: z.union([route, z.array(route).min(1)]).optional(),
  /** Replaces the server's seed for this set. */
  seed: z.int().optional(),

  /** Error replies by status, as `{"500": 0.02}` or `{"503": {"times": 2}}`. JSON-RPC: -32603 for 500, else -32000. */
  errorRates: z
    .record(
      z.string().regex(/^[45]\d\d$/, 'Expected an HTTP status from 400 to 599'),
      z.union([probability, z.strictObject(chance)]),
    )
    .optional(),
  /** 429 at random, independent of the request rate. */
  tooManyRequests: z
    .strictObject({ ...chance, retryAfterSeconds: z.number().min(0).default(1), retryAfter })
    .optional(),
  /**
   * 429 above a request rate (token bucket). Retry-After is the time until the next token. Default `burst`: perSecond,
   * at least 1.
   */
  rateLimit: z
    .strictObject({ perSecond: z.number().positive(), burst: z.number().min(1).optional(), retryAfter })
    .optional(),
  /** Above `limit` requests at once, latency grows in proportion (see GateOptions); with `reject`, the reply is 503. */
  concurrencyLimit: z
    .strictObject({
      limit: z.int().min(1),
      serviceMs: milliseconds.default(10),
      growth: z.number().min(0).max(8).default(1),
      reject: z.boolean().default(false),
    })
    .optional(),
  /** A redirect; `location` may be a path or a full URL. HTTP only. */
  redirect: z
    .strictObject({
      ...chance,
      location: z.string().min(1),
      status: z.union([301, 302, 303, 307, 308].map((status) => z.literal(status))).default(302),
    })
    .optional(),

  /** Latency added to the server's own latency. */
  addedLatency: z.strictObject({ ...chance, latency: latencySchema }).optional(),
  /** A heavy tail: some requests take `ms` longer. */
  tail: z.strictObject({ ...chance, ms: milliseconds }).optional(),

  /** A socket reset: before the server works on the request, or in the middle of its response. */
  reset: z.strictObject({ ...chance, at: z.enum(['request', 'response']).default('request') }).optional(),
  /**
   * The server never answers, and the connection stays open. It no longer reads a WebSocket connection, pings included.
   * `at: 'accept'` draws once per new connection, for every route, also for connections that ask for an upgrade.
   */
  halfOpen: z.strictObject({ ...chance, at: z.enum(['request', 'accept']).default('request') }).optional(),
  /** The server does the work and loses the answer: HTTP closes the connection, WebSocket does not reply. */
  dropReply: z.strictObject(chance).optional(),

  /** The server sends one byte of the body every `everyMs`; over WebSocket, one byte per fragment. */
  slowDrip: z.strictObject({ ...chance, everyMs: milliseconds.default(10) }).optional(),
  /** JSON that is cut off in the middle. */
  malformedJson: z.strictObject(chance).optional(),
  /** Valid JSON of the wrong shape. */
  wrongSchema: z.strictObject(chance).optional(),
  /** The correct answer, padded with white space to this size. */
  hugeBody: z.strictObject({ ...chance, bytes: z.int().min(1024).max(1_000_000_000).default(16_777_216) }).optional(),
  /** The correct answer, gzipped with white space that inflates to this many MiB. HTTP only. */
  gzipBomb: z.strictObject({ ...chance, inflatedMiB: z.int().min(1).max(10_000).default(256) }).optional(),
  /** One item in the array of a batch endpoint fails; the others succeed. HTTP only. */
  itemError: z.strictObject(chance).optional(),

  /** The reply is sent twice. WebSocket only, as are the next two. */
  duplicateReply: z.strictObject(chance).optional(),
  /**
   * The replies of a batch in reverse order. A single reply comes after the next reply, or after `holdMs` if none
   * follows.
   */
  reorderReply: z.strictObject({ ...chance, holdMs: milliseconds.default(20) }).optional(),
  /** An additional reply before the real one, to an id that was never sent. */
  unknownIdReply: z.strictObject(chance).optional(),

  /**
   * Restarts once, in the turn after the set takes effect: closes all sockets, is down for `downMs`, then uses the same
   * port.
   */
  restart: z.strictObject({ downMs: milliseconds.default(100) }).optional(),
});
const faultsSchema = z.union([faultSetSchema.transform((set) => [set]), z.array(faultSetSchema)]);

/** A set of faults, before defaults are filled in. */
export type FaultSet = z.input<typeof faultSetSchema>;
/** One set, or several sets (for example one per route). `{}` and `[]` mean no faults. */
export type Faults = FaultSet | readonly FaultSet[];
/** A set with its defaults. */
export type ResolvedFaultSet = z.output<typeof faultSetSchema>;

/** The error for invalid faults. `problem.path` is the position of the problem. */
export class FaultsError extends Error {
  /** Always 'FaultsError'. */
  override readonly name = 'FaultsError';
  /** @param problem the first problem; its `path` is the position in the given value. */
  constructor(readonly problem: BodyProblem) {
    super(problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`);
  }
}

/** Validates faults from code, JSON or a file, and fills in the defaults. Throws FaultsError. */
export function resolveFaults(given: unknown): readonly ResolvedFaultSet[] {
  // The two forms are distinguished here and not by a union, because the error of a union has no path.
  const parsed = Array.isArray(given) ? z.array(faultSetSchema).safeParse(given) : faultSetSchema.safeParse(given);
  if (parsed.success) return Array.isArray(parsed.data) ? parsed.data : [parsed.data];
  throw new FaultsError(firstProblem(parsed.error));
}

const scenarioSchema = z.array(
  z
    .strictObject({
      atMs: milliseconds.optional(),
      afterRequests: z.int().min(0).optional(),
      faults: faultsSchema,
    })
    .refine((step) => (step.atMs === undefined) !== (step.afterRequests === undefined), {
      error: 'Expected either atMs or afterRequests',
    }),
);

/** One step of a scenario: its faults take effect `atMs` after the start, or after `afterRequests` requests. */
export interface ScenarioStep {
  /** Milliseconds since the port answers. Set either this or `afterRequests`. */
  readonly atMs?: number | undefined;
  /** The faults take effect for the request after this many requests. Set either this or `atMs`. */
  readonly afterRequests?: number | undefined;
  /** The faults of this step. They replace all earlier faults. */
  readonly faults: Faults;
}

/** Validates a scenario from code, JSON or a file. Throws FaultsError. */
export function resolveScenario(given: unknown): readonly ScenarioStep[] {
  const parsed = scenarioSchema.safeParse(given);
  if (!parsed.success) throw new FaultsError(firstProblem(parsed.error));
  return parsed.data;
}

function firstProblem(error: z.ZodError): BodyProblem {
  const issue = deepest(error.issues[0]);
  // For an invalid key, zod has the reason one level below.
  const message = issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message;
  return { code: 'INVALID_FAULTS', path: pathText(issue?.path ?? []), message: message ?? error.message };
}

/** Follows the alternative of a union whose problem has the longest path, because it is the most useful message. */
function deepest(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== 'invalid_union') return issue;
  let best: z.core.$ZodIssue | undefined;
  for (const alternative of issue.errors) {
    const first = deepest(alternative[0]);
    if (first !== undefined && (best === undefined || first.path.length > best.path.length)) best = first;
  }
  return best === undefined ? issue : { ...best, path: [...issue.path, ...best.path] };
}
