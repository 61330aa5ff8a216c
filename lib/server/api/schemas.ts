/**
 * The shapes of the HTTP API: they validate requests and answers, and the OpenAPI document is made from them. Times are
 * milliseconds since 1970.
 */
import { z } from 'zod';
import { ALERT_KINDS } from '../alerts/alert.js';
import { RUN_ORIGINS, RUN_STATES } from '../runs/stored-run.js';

const time = z.number();
const optionalTime = time.nullable();

export const RunId = z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/);
export const Name = z.string().min(1).max(200);
export const RoleName = z.enum(['viewer', 'operator', 'admin']);

export const Problem = z.strictObject({
  /** A stable code, such as MILLRACE_UNKNOWN_RUN. */
  code: z.string(),
  message: z.string(),
});

export const Session = z.strictObject({ token: z.string(), role: RoleName, expiresAt: optionalTime });
export const Me = z.strictObject({ name: z.string(), role: RoleName });

export const Run = z.strictObject({
  id: RunId,
  workflow: z.string(),
  state: z.enum(RUN_STATES),
  origin: z.enum(RUN_ORIGINS),
  askedBy: z.string(),
  schedule: z.string().nullable(),
  scheduledFor: optionalTime,
  coversFrom: optionalTime,
  coversTo: optionalTime,
  /** The backfill that it belongs to. */
  backfill: z.string().nullable(),
  /** The trigger that started it, and its event: the id of a message, the path of a file, the id of another run. */
  triggeredBy: z.string().nullable(),
  subject: z.string().nullable(),
  queuedAt: time,
  startedAt: optionalTime,
  endedAt: optionalTime,
  stopWish: z.enum(['drain', 'cancel']).nullable(),
  settings: z.record(z.string(), z.json()),
  settled: z.number(),
  deadLetters: z.number(),
  problem: z.string(),
  /** The reason why a queued run waits; '' for any other run. */
  waitsFor: z.string(),
});
export const Runs = z.strictObject({
  runs: z.array(Run),
  /** The value of `before` for the next page; null on the last one. */
  before: z.string().nullable(),
});

export const Schedule = z.strictObject({
  id: z.string(),
  workflow: z.string(),
  name: z.string(),
  /** In words: `30 2 * * *`, `every 15m`, or a moment. */
  rule: z.string(),
  zone: z.string().nullable(),
  overlap: z.string(),
  catchUp: z.string(),
  generation: z.number(),
  isPresent: z.boolean(),
  /** The user who made it; null for a schedule of the workflow, which only the file of the workflow can change. */
  madeBy: z.string().nullable(),
  /** The rule as it was given. */
  stated: z.record(z.string(), z.json()),
  pause: z.strictObject({ by: z.string(), at: time, note: z.string() }).nullable(),
  /** The last decided tick, or the time at which the schedule was created. */
  decidedTo: time,
  /** The next ticks; none while it is paused. */
  next: z.array(time),
  warnings: z.array(z.string()),
  /** The problem with the rule; '' if there is none. */
  problem: z.string(),
});
export const Schedules = z.strictObject({ schedules: z.array(Schedule) });
/** A rule in time, with the options of its ticks. */
export const ScheduleBody = z
  .strictObject({
    cron: z.string().max(200).optional(),
    zone: z.string().max(80).optional(),
    every: z.string().max(20).optional(),
    anchor: z.string().max(40).optional(),
    at: z.string().max(40).optional(),
    overlap: z.enum(['skip', 'queue', 'allow']).optional(),
    catchUp: z.enum(['last', 'none', 'all']).optional(),
    jitter: z
      .string()
      .regex(/^\d{1,9}[smhd]$/, 'must be a whole number and s, m, h or d')
      .optional(),
    /** By key; only keys among the `params` of the workflow. */
    settings: z.record(z.string(), z.json()).optional(),
  })
  .refine(({ cron, every, at }) => [cron, every, at].filter((rule) => rule !== undefined).length === 1, {
    error: 'Expected exactly one of `cron`, `every` and `at`',
  })
  .refine(({ cron, zone }) => (cron === undefined) === (zone === undefined), {
    error: 'Expected `zone` with `cron`, and with nothing else',
  })
  .refine(({ every, anchor }) => anchor === undefined || every !== undefined, {
    error: 'Expected `anchor` only with `every`',
  });
export const SchedulePreview = z.strictObject({ next: z.array(time), warnings: z.array(z.string()) });
export const MadeScheduleParams = z.strictObject({
  workflow: z.string().min(1).max(200),
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][\w.-]{0,63}$/,
      'must be 1 to 64 letters, digits, ., _ and -, and begin with a letter or a digit',
    ),
});
const backfillRange = {
  from: z.coerce.number().int().min(0),
  to: z.coerce.number().int().min(0),
  /** `missing`: only ticks without a run that is queued, at work or completed. */
  ticks: z.enum(['all', 'missing']).default('all'),
};
export const BackfillQuery = z.strictObject(backfillRange);
export const BackfillBody = z.strictObject({
  ...backfillRange,
  /** Whether its runs may overlap. Otherwise each waits for the end of the one before. */
  overlaps: z.boolean().default(false),
  /** Asking again under the same key adds nothing. */
  requestKey: z.string().min(1).max(200).optional(),
});
/** The preview of a backfill: the number of its runs, and the first and the last of its ticks. */
export const BackfillPreview = z.strictObject({
  count: z.number(),
  ticks: z.array(time),
  settings: z.record(z.string(), z.json()),
});
export const Backfill = z.strictObject({
  id: RunId,
  schedule: z.string(),
  workflow: z.string(),
  from: time,
  to: time,
  count: z.number(),
  askedBy: z.string(),
  at: time,
  /** The number of its runs by state. */
  states: z.record(z.string(), z.number()),
});
export const Backfills = z.strictObject({ backfills: z.array(Backfill) });
export const BackfillParams = z.strictObject({ id: RunId });
export const Stopped = z.strictObject({ stopped: z.number() });
export const Done = z.strictObject({});
/** A part of what a process has printed, at most 64 kB. `from`, `to` and `size` are bytes of its whole output. */
export const Output = z.strictObject({
  text: z.string(),
  from: z.number(),
  to: z.number(),
  size: z.number(),
  process: z.number(),
});
const place = z.coerce.number().int().min(0).optional();
export const OutputQuery = z
  .strictObject({
    /** Counted from 1. Default: the last one. */
    process: z.coerce.number().int().min(1).optional(),
    /** The part ends here. */
    before: place,
    /** The part begins here. */
    after: place,
    /** The part begins with the last line, before `before`, that contains this text. It is empty without such a line. */
    find: z.string().min(1).max(200).optional(),
  })
  .refine(({ before, after, find }) => after === undefined || (before === undefined && find === undefined), {
    error: 'Expected `after` without `before` and `find`',
  });
/** The processes that have worked on a run, oldest first. */
export const Processes = z.strictObject({
  processes: z.array(
    z.strictObject({
      number: z.number(),
      host: z.string(),
      pid: z.number(),
      startedAt: time,
      /** Null while it is at work, and for one that died. */
      endedAt: optionalTime,
      /** The outcome of the run in this process; null for one that has done no work, and without an end. */
      outcome: z.string().nullable(),
      isAtWork: z.boolean(),
    }),
  ),
});

export const Trigger = z.strictObject({
  id: z.string(),
  workflow: z.string(),
  name: z.string(),
  kind: z.enum(['webhook', 'file', 'workflow']),
  /** In words: the address of a webhook, the pattern of files, or the end of another workflow. */
  rule: z.string(),
  /** The problem with the trigger; '' if there is none. */
  problem: z.string(),
  pause: z.strictObject({ by: z.string(), at: time, note: z.string() }).nullable(),
});
export const Triggers = z.strictObject({ triggers: z.array(Trigger) });
export const TriggerParams = z.strictObject({ workflow: Name, name: Name });
export const Deliveries = z.strictObject({
  deliveries: z.array(
    z.strictObject({
      /** The id of the message, the path of the file, or the id of the run that has ended. */
      subject: z.string(),
      at: time,
      runId: z.string(),
    }),
  ),
});
export const HookAnswer = z.strictObject({ runId: RunId });

export const Decision = z.strictObject({
  number: z.number(),
  kind: z.enum(['run', 'no-run']),
  reason: z.enum(['overlap', 'down', 'paused', 'coalesced', 'limit']).nullable(),
  from: time,
  to: time,
  count: z.number().nullable(),
  runId: z.string().nullable(),
  decidedAt: time,
});
export const Decisions = z.strictObject({ decisions: z.array(Decision) });

/** Moments, ascending: the days, or the hours, of a calendar. */
export const CalendarQuery = z.strictObject({
  edges: z
    .string()
    .regex(/^\d{1,15}(,\d{1,15}){1,62}$/, 'must be 2 to 63 moments in milliseconds since 1970, with commas')
    .refine(
      (text) => text.split(',').every((edge, index, all) => index === 0 || Number(edge) > Number(all[index - 1])),
      {
        error: 'must be ascending',
      },
    ),
  /** `<workflow>/<name>`: only this one. */
  schedule: Name.optional(),
});
export const CalendarCell = z.strictObject({
  runs: z.partialRecord(z.enum([...RUN_STATES, 'removed']), z.number()),
  noRuns: z.partialRecord(z.enum(['overlap', 'down', 'paused', 'coalesced', 'limit']), z.number().nullable()),
  coming: z.number().nullable(),
});
export const Calendar = z.strictObject({
  rows: z.array(z.strictObject({ schedule: z.string(), isPartial: z.boolean(), cells: z.array(CalendarCell) })),
});

export const Workflow = z.strictObject({
  name: z.string(),
  description: z.string(),
  from: z.string(),
  params: z.array(z.string()),
  /** The part of the JSON Schema of the configuration that describes the params. */
  paramSchema: z.record(z.string(), z.json()),
  schedules: z.array(Schedule),
  /** The newest runs, newest first. */
  recent: z.array(Run),
});
export const Workflows = z.strictObject({
  /** False while a server that has just started does not know its workflows. */
  isDescribed: z.boolean(),
  workflows: z.array(Workflow),
  problems: z.array(z.string()),
});

const Whole = z.strictObject({
  /** The number of tasks of a sub-workflow but its end. */
  tasks: z.number(),
  in: z.number(),
  out: z.number(),
  skipped: z.number(),
  deadLettered: z.number(),
  inFlight: z.number(),
});
export const TaskView = z.strictObject({
  name: z.string(),
  kind: z.string(),
  /** The number of sub-workflows around it. */
  depth: z.number(),
  /** The counts of a sub-workflow, of which the task is the end. */
  whole: Whole.nullable(),
  layer: z.number(),
  row: z.number(),
  in: z.number(),
  out: z.number(),
  skipped: z.number(),
  deadLettered: z.number(),
  inFlight: z.number(),
  remembered: z.number().nullable(),
  queued: z.number(),
  /** Iterations that have ended; null for a task that does not iterate. */
  iterations: z.number().nullable(),
  perSecond: z.number(),
  averagePerSecond: z.number(),
  busy: z.number(),
  waiting: z.number(),
  blocked: z.number(),
  p50: z.number().nullable(),
  p95: z.number().nullable(),
});
export const EdgeView = z.strictObject({
  from: z.string(),
  to: z.string(),
  /** The places between the two tasks that the edge passes, from left to right, in units of the grid. */
  way: z.array(z.strictObject({ layer: z.number(), row: z.number() })),
  records: z.number(),
  perSecond: z.number(),
  fill: z.number(),
  state: z.enum(['flowing', 'starved', 'blocked', 'idle', 'rule']),
  isOptional: z.boolean(),
});
const GraphView = z.strictObject({
  layers: z.number(),
  rows: z.number(),
  places: z.array(z.strictObject({ task: z.string(), layer: z.number(), row: z.number() })),
  edges: z.array(EdgeView),
});
export const RunView = z.strictObject({
  runId: z.string(),
  workflow: z.string(),
  startedAt: time,
  seenAt: time,
  incarnations: z.number(),
  outcome: z.string().nullable(),
  layers: z.number(),
  rows: z.number(),
  tasks: z.array(TaskView),
  edges: z.array(EdgeView),
  /** The graph with one box per sub-workflow; null without sub-workflows. */
  outline: GraphView.nullable(),
  bottleneck: z.strictObject({ task: z.string(), load: z.number() }).nullable(),
  readShare: z.number().nullable(),
  born: z.number(),
  settled: z.number(),
  inFlight: z.number(),
  isConserved: z.boolean(),
  deadLetters: z.array(z.strictObject({ task: z.string(), code: z.string(), message: z.string(), count: z.number() })),
  notes: z.array(z.strictObject({ at: time, text: z.string() })),
  config: z.unknown(),
});

export const RunHistory = z.strictObject({
  runId: z.string(),
  from: time,
  to: time,
  tasks: z.array(z.string()),
  omitted: z.number(),
  stretches: z.array(
    z.strictObject({
      from: time,
      to: time,
      done: z.array(z.number()),
      busy: z.array(z.number()),
      blocked: z.array(z.number()),
      p95: z.array(z.number().nullable()),
    }),
  ),
  resources: z.array(
    z.strictObject({ at: time, rssBytes: z.number(), heapUsedBytes: z.number(), delayMs: z.number() }),
  ),
});

const PathTask = z.strictObject({
  task: z.string(),
  recordMs: z.number().nullable(),
  busyMs: z.number().nullable(),
});

/** The plan of a workflow, beside the measures of a run. */
export const Explanation = z.strictObject({
  workflow: z.string(),
  run: z.string().nullable(),
  criticalPath: z.strictObject({
    tasks: z.array(PathTask),
    recordMs: z.number().nullable(),
    busiest: PathTask.nullable(),
  }),
  memory: z.array(z.strictObject({ of: z.string(), what: z.string(), most: z.number(), seen: z.number().nullable() })),
  memoryPeakBytes: z.number().nullable(),
  obstacle: z.string().nullable(),
  afterCrash: z.array(z.strictObject({ task: z.string(), text: z.string() })),
  unrepeatable: z.array(z.strictObject({ task: z.string(), reason: z.string() })),
});

export const LetterGroups = z.strictObject({
  groups: z.array(
    z.strictObject({
      task: z.string(),
      code: z.string(),
      message: z.string(),
      example: z.string(),
      count: z.number(),
    }),
  ),
  others: z.number(),
});

/** The reason of a group of dead letters. */
export const LettersQuery = z.strictObject({
  task: z.string().max(1000),
  code: z.string().max(200),
  message: z.string().max(10_000),
  skip: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});
export const Letters = z.strictObject({
  letters: z.array(
    z.strictObject({
      /** `Root#number`. */
      name: z.string(),
      /** As JSON, at most 4,000 characters of it. */
      record: z.string(),
      attempts: z.number(),
      message: z.string(),
      at: time,
    }),
  ),
  hasMore: z.boolean(),
});
/** A value of a record, such as its id, or its number: `Root#12`. */
export const StoryQuery = z.strictObject({ key: z.string().min(1).max(1000) });
export const Story = z.strictObject({
  /** In the order of the graph. */
  traces: z.array(z.strictObject({ task: z.string(), at: z.string(), record: z.string(), what: z.string() })),
});

/** The runs that are queued or at work, oldest first, and the pools of this server. */
export const Queue = z.strictObject({
  maxRuns: z.number(),
  pools: z.array(
    z.strictObject({
      name: z.string(),
      size: z.number(),
      /** The ids of the runs at work that take a place. */
      runs: z.array(z.string()),
    }),
  ),
  runs: z.array(z.strictObject({ run: Run, pools: z.array(z.string()), priority: z.number() })),
});

export const Overview = z.strictObject({
  version: z.string(),
  startedAt: time,
  maxRuns: z.number(),
  /** False while a server that has just started does not know its workflows. */
  isDescribed: z.boolean(),
  /** The problems that need attention, most urgent first. */
  attention: z.array(
    z.strictObject({
      about: z.enum(['server', 'run', 'schedule', 'workflow', 'alert']),
      subject: z.string(),
      text: z.string(),
    }),
  ),
  active: z.array(z.strictObject({ run: Run, readShare: z.number().nullable(), perSecond: z.number() })),
  /** The next tick of each schedule, soonest first, at most 20. */
  next: z.array(z.strictObject({ schedule: z.string(), at: time })),
  counts: z.record(z.enum(RUN_STATES), z.number()),
  /** The last 24 hours, oldest first, each from its beginning, with the number of runs that ended in it by state. */
  lastDay: z.array(z.strictObject({ at: time, ended: z.partialRecord(z.enum(RUN_STATES), z.number()) })),
  /** The servers that share the store, by number; empty for the only server of a store. */
  servers: z.array(
    z.strictObject({
      number: z.number(),
      host: z.string(),
      url: z.string(),
      pools: z.record(z.string(), z.number()),
      maxRuns: z.number(),
      startedAt: time,
      renewedAt: time,
      isLeader: z.boolean(),
      isThis: z.boolean(),
    }),
  ),
});

export const Alert = z.strictObject({
  id: z.string(),
  kind: z.enum(ALERT_KINDS),
  at: time,
  workflow: z.string(),
  schedule: z.string().nullable(),
  runId: z.string().nullable(),
  text: z.string(),
  attempts: z.number(),
  /** The time of the next attempt to send it; null if there is none, or if the server has no target for alerts. */
  nextAt: optionalTime,
  sentAt: optionalTime,
  /** The reason why the last attempt to send it failed; '' if it succeeded, or if there was none. */
  problem: z.string(),
});
export const Alerts = z.strictObject({ alerts: z.array(Alert) });

export const Token = z.strictObject({
  id: z.string(),
  name: z.string(),
  role: RoleName,
  createdAt: time,
  expiresAt: optionalTime,
});
export const Tokens = z.strictObject({ tokens: z.array(Token) });
export const NewToken = z.strictObject({ token: z.string() });
export const Backup = z.strictObject({ path: z.string() });
export const Audit = z.strictObject({
  entries: z.array(z.strictObject({ at: time, who: z.string(), what: z.string(), subject: z.string() })),
});

export const TriggerBody = z.strictObject({
  /** By key; only keys among the `params` of the workflow. */
  settings: z.record(z.string(), z.json()).default({}),
  /** A repeated request with the same key returns the same run. */
  requestKey: z.string().min(1).max(200).optional(),
});
export const StopBody = z.strictObject({ how: z.enum(['drain', 'cancel']) });
export const PauseBody = z.strictObject({ note: z.string().max(500).default('') });
export const SessionBody = z.strictObject({ code: z.string().min(1).max(200) });
export const TokenBody = z.strictObject({
  name: Name,
  role: RoleName,
  /** Days until it expires. */
  days: z.int().min(1).max(3650).default(90),
});
export const RunsQuery = z.strictObject({
  workflow: Name.optional(),
  schedule: Name.optional(),
  backfill: RunId.optional(),
  state: z.enum(RUN_STATES).optional(),
  before: RunId.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export const PageQuery = z.strictObject({
  before: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export const AlertsQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50) });
export const LiveQuery = z.strictObject({ run: RunId.optional() });
export const RunParams = z.strictObject({ id: RunId });
export const WorkflowParams = z.strictObject({ workflow: Name });
export const ScheduleParams = z.strictObject({ workflow: Name, name: Name });
export const TokenParams = z.strictObject({ id: RunId });
