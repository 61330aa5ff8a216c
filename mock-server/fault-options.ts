/**
 * The faults the server can be asked for: their JSON form, checked at the door. The promise: an unknown fault, a
 * misspelt route or a number out of range is refused with the path of the first problem and the value stays as it
 * was; what is accepted has every default filled in.
 *
 * Every fault that is drawn per request takes `p` (probability, default 1) and `times` (it fires at most so often).
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
/** How Retry-After is written: a number of seconds, an HTTP date, or not at all. */
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
  /** 429 now and then, whatever the rate. */
  tooManyRequests: z
    .strictObject({ ...chance, retryAfterSeconds: z.number().min(0).default(1), retryAfter })
    .optional(),
  /** 429 above a real rate: a token bucket. Retry-After says when there will be a token. `burst`: perSecond, at least 1. */
  rateLimit: z
    .strictObject({ perSecond: z.number().positive(), burst: z.number().min(1).optional(), retryAfter })
    .optional(),
  /** More than `limit` at once: latency grows in proportion (see GateOptions), or 503 with `reject`. */
  concurrencyLimit: z
    .strictObject({
      limit: z.int().min(1),
      serviceMs: milliseconds.default(10),
      growth: z.number().min(0).max(8).default(1),
      reject: z.boolean().default(false),
    })
    .optional(),
  /** To another place; `location` may be a path or a whole URL. HTTP only. */
  redirect: z
    .strictObject({
      ...chance,
      location: z.string().min(1),
      status: z.union([301, 302, 303, 307, 308].map((status) => z.literal(status))).default(302),
    })
    .optional(),

  /** On top of the server's own latency. */
  addedLatency: z.strictObject({ ...chance, latency: latencySchema }).optional(),
  /** A heavy tail: some requests take `ms` longer. */
  tail: z.strictObject({ ...chance, ms: milliseconds }).optional(),

  /** Socket reset: before the request is worked on, or in the middle of its response. */
  reset: z.strictObject({ ...chance, at: z.enum(['request', 'response']).default('request') }).optional(),
  /**
   * Never an answer, and the connection stays open. WebSocket: from then on nothing on it is read, pings included.
   * `at: 'accept'` draws once per new connection (also those that ask for an upgrade), whatever the route.
   */
  halfOpen: z.strictObject({ ...chance, at: z.enum(['request', 'accept']).default('request') }).optional(),
  /** The work is done and the answer lost: HTTP closes the connection, WebSocket just does not reply. */
  dropReply: z.strictObject(chance).optional(),

  /** The body arrives one byte every `everyMs`. WebSocket: one byte per fragment. */
  slowDrip: z.strictObject({ ...chance, everyMs: milliseconds.default(10) }).optional(),
  /** JSON cut off in the middle. */
  malformedJson: z.strictObject(chance).optional(),
  /** Valid JSON of the wrong shape. */
  wrongSchema: z.strictObject(chance).optional(),
  /** The right answer padded with white space to this size. */
  hugeBody: z.strictObject({ ...chance, bytes: z.int().min(1024).max(1_000_000_000).default(16_777_216) }).optional(),
  /** The right answer, gzipped with white space that inflates to this many MiB. HTTP only. */
  gzipBomb: z.strictObject({ ...chance, inflatedMiB: z.int().min(1).max(10_000).default(256) }).optional(),
  /** One item of a batch endpoint's array fails, the others do not. HTTP only. */
  itemError: z.strictObject(chance).optional(),

  /** The reply is sent twice. WebSocket only, as are the next two. */
  duplicateReply: z.strictObject(chance).optional(),
  /** A batch's replies reversed; a single reply after the next one, or after `holdMs` if there is none. */
  reorderReply: z.strictObject({ ...chance, holdMs: milliseconds.default(20) }).optional(),
  /** One more reply, to an id that was never sent, before the real one. */
  unknownIdReply: z.strictObject(chance).optional(),

  /** Once, in the turn after the set is put in force: all sockets cut, nothing listens for `downMs`, back on the same port. */
  restart: z.strictObject({ downMs: milliseconds.default(100) }).optional(),
});
const faultsSchema = z.union([faultSetSchema.transform((set) => [set]), z.array(faultSetSchema)]);

/** Faults that belong together, as given. */
export type FaultSet = z.input<typeof faultSetSchema>;
/** One set, or several (say one per route). `{}` and `[]` mean none. */
export type Faults = FaultSet | readonly FaultSet[];
/** A set with its defaults. */
export type ResolvedFaultSet = z.output<typeof faultSetSchema>;

/** Faults that cannot be put in force. `problem.path` is where. */
export class FaultsError extends Error {
  /** Always 'FaultsError'. */
  override readonly name = 'FaultsError';
  /** @param problem the first thing that is wrong; its `path` is where in the given value. */
  constructor(readonly problem: BodyProblem) {
    super(problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`);
  }
}

/** Checks and completes faults from code, JSON or a file. Throws FaultsError. */
export function resolveFaults(given: unknown): readonly ResolvedFaultSet[] {
  // Told apart here, not by the union: a union's error would name neither alternative's path.
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

/** One step of a scenario: from `atMs` after the start, or once `afterRequests` have arrived, these faults hold. */
export interface ScenarioStep {
  /** Milliseconds after the port answers. Exactly one of this and `afterRequests`. */
  readonly atMs?: number | undefined;
  /** In force for the request that follows so many. Exactly one of this and `atMs`. */
  readonly afterRequests?: number | undefined;
  /** Replace all faults that held before. */
  readonly faults: Faults;
}

/** Checks a scenario from code, JSON or a file. Throws FaultsError. */
export function resolveScenario(given: unknown): readonly ScenarioStep[] {
  const parsed = scenarioSchema.safeParse(given);
  if (!parsed.success) throw new FaultsError(firstProblem(parsed.error));
  return parsed.data;
}

function firstProblem(error: z.ZodError): BodyProblem {
  const issue = deepest(error.issues[0]);
  // Of a key that is wrong, zod says only that it is; why is one level down.
  const message = issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message;
  return { code: 'INVALID_FAULTS', path: pathText(issue?.path ?? []), message: message ?? error.message };
}

/** Of a union's alternatives, follows the one that got furthest: its complaint is the one that helps. */
function deepest(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== 'invalid_union') return issue;
  let best: z.core.$ZodIssue | undefined;
  for (const alternative of issue.errors) {
    const first = deepest(alternative[0]);
    if (first !== undefined && (best === undefined || first.path.length > best.path.length)) best = first;
  }
  return best === undefined ? issue : { ...best, path: [...issue.path, ...best.path] };
}
