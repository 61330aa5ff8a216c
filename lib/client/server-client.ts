/**
 * A client of `millrace serve`: one method per route of its API, with the types of the schemas that the server checks.
 *
 * Guarantees: a connection stays open only while its events are read. The client needs no module of Node.
 */
import type { Observable } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import { count, resolveOptions, text, type OptionRules, type OptionTable } from '../options/options.js';
import { ServerRequests } from './requests.js';
import { eventsFrom, readEvents, type EventsQuery, type ServerEvent } from './events.js';
import type {
  LetterGroups,
  LettersPage,
  LettersQuery,
  OutputQuery,
  RunOutput,
  RunProcess,
  RunRequest,
  RunsPage,
  RunsQuery,
  ServerRun,
  ServerRunState,
  ServerTrace,
} from './shapes/runs.js';
import type { ServerExplanation } from './shapes/explanation.js';
import type { ServerRunHistory } from './shapes/run-history.js';
import type { ServerRunView } from './shapes/run-view.js';
import type {
  BackfillPreview,
  BackfillRequest,
  CalendarRow,
  DecisionsQuery,
  ScheduleDecision,
  SchedulePreview,
  ScheduleRule,
  ServerBackfill,
  ServerSchedule,
  TickRange,
} from './shapes/schedules.js';
import type {
  ServerAlert,
  ServerAuditEntry,
  ServerDelivery,
  ServerOverview,
  ServerQueue,
  ServerRole,
  ServerToken,
  ServerTrigger,
  ServerWorkflows,
  TokenRequest,
} from './shapes/server.js';

/** Options of `serverClient`. */
export interface ServerClientOptions {
  /** The address of the server, such as `http://127.0.0.1:4747`. */
  readonly url: string;
  /** A token of the server. */
  readonly token: string;
  /** The time before events are connected again after a break, in milliseconds. Default 1000. */
  readonly retryMs?: number;
}

const RULES: OptionRules<ServerClientOptions> = {
  url: {
    expected: 'an address of http or https',
    accepts: (value) => typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value),
  },
  token: text,
  retryMs: count(0),
};
const TABLE: OptionTable<ServerClientOptions, { retryMs: number }> = {
  name: 'a client of a server',
  rules: RULES,
  defaults: { retryMs: 1000 },
  required: ['url', 'token'],
};

/** The states of runs that are not over. */
const ACTIVE: readonly ServerRunState[] = ['queued', 'starting', 'running'];

/** Requests about runs. All reject with a ServerRefusedError, or with MILLRACE_NETWORK. */
export interface ServerRuns {
  /** Runs, newest first. Role viewer. */
  list(query?: RunsQuery): Promise<RunsPage>;
  /** Asks for a run of a workflow, and returns it as it is queued. Role operator. */
  start(workflow: string, request?: RunRequest): Promise<ServerRun>;
  /** A run. Role viewer. */
  get(id: string): Promise<ServerRun>;
  /**
   * Waits for the end of a run, also across restarts of the server, and returns the run. Rejects with MILLRACE_ABORTED
   * when the signal aborts. Role viewer.
   */
  ended(id: string, query?: { readonly signal?: AbortSignal }): Promise<ServerRun>;
  /** The graph of a run with its figures, now or at its end. Role viewer. */
  view(id: string): Promise<ServerRunView>;
  /** The work of the tasks of a run over time. Role viewer. */
  history(id: string): Promise<ServerRunHistory>;
  /** The plan of a run, and after its end what was measured beside it. Role viewer. */
  explanation(id: string): Promise<ServerExplanation>;
  /** Dead letters by reason. Role operator. */
  deadLetters(id: string): Promise<LetterGroups>;
  /** The dead letters of one group, with their records. Role operator. */
  letters(id: string, query: LettersQuery): Promise<LettersPage>;
  /** Processes the records of the dead letters of a completed run again. Role operator. */
  replay(id: string): Promise<ServerRun>;
  /** The traces of a record: where it was read, given up and written. None if it left no trace. Role operator. */
  why(id: string, key: string): Promise<readonly ServerTrace[]>;
  /** A part of the output of a process of a run; by default the end of that of the last one. Role operator. */
  output(id: string, query?: OutputQuery): Promise<RunOutput>;
  /** The processes that have worked on a run, oldest first. Role viewer. */
  processes(id: string): Promise<readonly RunProcess[]>;
  /** The report of a run, as HTML. Role viewer. */
  report(id: string): Promise<string>;
  /** Stops the sources of a run, and lets records in flight settle. Role operator. */
  drain(id: string): Promise<ServerRun>;
  /** Stops a run; it can be resumed. Role operator. */
  cancel(id: string): Promise<ServerRun>;
  /** Resumes a run that was stopped, failed or interrupted. Role operator. */
  resume(id: string): Promise<ServerRun>;
}

/** Requests about schedules. All reject with a ServerRefusedError, or with MILLRACE_NETWORK. */
export interface ServerSchedules {
  /** All schedules, with their next ticks. Role viewer. */
  list(): Promise<readonly ServerSchedule[]>;
  /** The decisions about the ticks of a schedule, newest first. Role viewer. */
  decisions(workflow: string, name: string, query?: DecisionsQuery): Promise<readonly ScheduleDecision[]>;
  /**
   * The runs of past ticks, the ticks without a run, and the number of future ticks, between each two neighbouring
   * edges: of all schedules, or of one, by its id. The edges are 2 to 63 ascending moments. Role viewer.
   */
  calendar(edges: readonly number[], schedule?: string): Promise<readonly CalendarRow[]>;
  /** Pauses a schedule: its ticks have no runs until it is unpaused. Role operator. */
  pause(workflow: string, name: string, note?: string): Promise<ServerSchedule>;
  /** Ends the pause of a schedule. The ticks of the pause have no runs. Role operator. */
  unpause(workflow: string, name: string): Promise<ServerSchedule>;
  /** The next ticks of a rule. Changes nothing. Role operator. */
  preview(rule: ScheduleRule): Promise<SchedulePreview>;
  /** Makes a schedule, or changes one that a user made. Role operator. */
  put(workflow: string, name: string, rule: ScheduleRule): Promise<ServerSchedule>;
  /** Removes a schedule that a user made. Its runs and its history stay. Role operator. */
  remove(workflow: string, name: string): Promise<void>;
}

/** Requests about backfills. All reject with a ServerRefusedError, or with MILLRACE_NETWORK. */
export interface ServerBackfills {
  /** Backfills, newest first, at most 100. Role viewer. */
  list(): Promise<readonly ServerBackfill[]>;
  /** The ticks that a backfill of this range would have. Changes nothing. Role viewer. */
  preview(workflow: string, schedule: string, range: TickRange): Promise<BackfillPreview>;
  /** Asks for a run for each tick of a past range. Role operator. */
  start(workflow: string, schedule: string, request: BackfillRequest): Promise<ServerBackfill>;
  /** Stops the runs of a backfill, and returns their number. Role operator. */
  stop(id: string, how: 'drain' | 'cancel'): Promise<number>;
}

/** Requests about triggers. All reject with a ServerRefusedError, or with MILLRACE_NETWORK. */
export interface ServerTriggers {
  /** The triggers of the workflows. Role viewer. */
  list(): Promise<readonly ServerTrigger[]>;
  /** The events at which a trigger has started a run, newest first. Role viewer. */
  deliveries(workflow: string, name: string): Promise<readonly ServerDelivery[]>;
  /** Pauses a trigger: its events start no runs until it is unpaused. Role operator. */
  pause(workflow: string, name: string, note?: string): Promise<ServerTrigger>;
  /** Ends the pause of a trigger. Role operator. */
  unpause(workflow: string, name: string): Promise<ServerTrigger>;
}

/** Requests about tokens. All reject with a ServerRefusedError, or with MILLRACE_NETWORK. Role admin. */
export interface ServerTokens {
  /** The tokens, without their secrets. */
  list(): Promise<readonly ServerToken[]>;
  /** Makes a token, and returns its secret, which is shown once. */
  make(request: TokenRequest): Promise<string>;
  /** Removes a token. */
  remove(id: string): Promise<void>;
}

/** A client of one server. All methods reject with a ServerRefusedError, or with MILLRACE_NETWORK. */
export interface ServerClient {
  /** Runs. */
  readonly runs: ServerRuns;
  /** Schedules. */
  readonly schedules: ServerSchedules;
  /** Backfills. */
  readonly backfills: ServerBackfills;
  /** Triggers. */
  readonly triggers: ServerTriggers;
  /** Tokens. */
  readonly tokens: ServerTokens;
  /** What needs attention, what runs, and what comes next. Role viewer. */
  overview(): Promise<ServerOverview>;
  /** The runs that wait and those at work, and the pools of the server. Role viewer. */
  queue(): Promise<ServerQueue>;
  /** The workflows, their schedules and their newest runs. Role viewer. */
  workflows(): Promise<ServerWorkflows>;
  /** The plan of a workflow, beside the measures of its last run. The server runs the file of the workflow. Role operator. */
  explanation(workflow: string): Promise<ServerExplanation>;
  /** The alerts of the last month, newest first; `limit` is 1 to 200, default 50. Role viewer. */
  alerts(query?: { readonly limit?: number }): Promise<readonly ServerAlert[]>;
  /** The actions of users, newest first, at most 200 entries. Role admin. */
  audit(): Promise<readonly ServerAuditEntry[]>;
  /** Copies the store of the server into a file, and returns the path on its machine. Role admin. */
  backup(): Promise<string>;
  /** The name and the role of the token. */
  me(): Promise<{ readonly name: string; readonly role: ServerRole }>;
  /**
   * Live events, for `for await`. They continue after a restart of the server. Leaving the loop ends the request; to
   * end the request while no event arrives, abort the signal. Throws a ServerRefusedError. Role viewer.
   */
  events(query?: EventsQuery): AsyncIterable<ServerEvent>;
  /** The same events as an Observable. Each subscriber has a request of its own, which ends when it unsubscribes. */
  events$(query?: EventsQuery): Observable<ServerEvent>;
}

/**
 * A client of the server at an address. Nothing is sent before a method is called. Throws MILLRACE_INVALID_OPTION for
 * an invalid address, and without a token.
 */
export function serverClient(options: ServerClientOptions): ServerClient {
  const { url, token, retryMs } = resolveOptions(TABLE, options);
  const requests = new ServerRequests(url, token);
  const events = (query: EventsQuery = {}): AsyncIterable<ServerEvent> => readEvents(requests, retryMs, query);
  return {
    runs: runsOf(requests, events),
    schedules: schedulesOf(requests),
    backfills: backfillsOf(requests),
    triggers: {
      list: async () => (await requests.call('GET /triggers', {})).triggers,
      deliveries: async (workflow, name) => {
        const path = { workflow, name };
        return (await requests.call('GET /triggers/:workflow/:name/deliveries', { path })).deliveries;
      },
      pause: (workflow, name, note = '') =>
        requests.call('POST /triggers/:workflow/:name/pause', { path: { workflow, name }, body: { note } }),
      unpause: (workflow, name) =>
        requests.call('POST /triggers/:workflow/:name/unpause', { path: { workflow, name } }),
    },
    tokens: {
      list: async () => (await requests.call('GET /tokens', {})).tokens,
      make: async (body) => (await requests.call('POST /tokens', { body })).token,
      remove: async (id) => {
        await requests.call('DELETE /tokens/:id', { path: { id } });
      },
    },
    overview: () => requests.call('GET /overview', {}),
    queue: () => requests.call('GET /queue', {}),
    workflows: () => requests.call('GET /workflows', {}),
    explanation: (workflow) => requests.call('GET /workflows/:workflow/explanation', { path: { workflow } }),
    alerts: async (query = {}) => (await requests.call('GET /alerts', { query })).alerts,
    audit: async () => (await requests.call('GET /audit', {})).entries,
    backup: async () => (await requests.call('POST /backup', {})).path,
    me: () => requests.call('GET /me', {}),
    events,
    events$: (query = {}) => eventsFrom(requests, retryMs, query),
  };
}

function runsOf(requests: ServerRequests, events: (query: EventsQuery) => AsyncIterable<ServerEvent>): ServerRuns {
  const get = (id: string): Promise<ServerRun> => requests.call('GET /runs/:id', { path: { id } });
  const stop = (id: string, how: 'drain' | 'cancel'): Promise<ServerRun> =>
    requests.call('POST /runs/:id/stop', { path: { id }, body: { how } });
  return {
    list: (query = {}) => requests.call('GET /runs', { query }),
    start: (workflow, body = {}) => requests.call('POST /workflows/:workflow/runs', { path: { workflow }, body }),
    get,
    ended: async (id, { signal } = {}) => {
      // Each connection begins with a `change` event, so an end before the connection is noticed as well.
      for await (const { type } of events({ signal })) {
        const run = type === 'change' ? await get(id) : undefined;
        if (run !== undefined && !ACTIVE.includes(run.state)) return run;
      }
      throw new MillraceError('MILLRACE_ABORTED', `The signal was aborted before the end of run ${id} was seen`);
    },
    view: (id) => requests.call('GET /runs/:id/view', { path: { id } }),
    history: (id) => requests.call('GET /runs/:id/history', { path: { id } }),
    explanation: (id) => requests.call('GET /runs/:id/explanation', { path: { id } }),
    deadLetters: (id) => requests.call('GET /runs/:id/dead-letters', { path: { id } }),
    letters: (id, query) => requests.call('GET /runs/:id/letters', { path: { id }, query }),
    replay: (id) => requests.call('POST /runs/:id/replay', { path: { id } }),
    why: async (id, key) => (await requests.call('GET /runs/:id/why', { path: { id }, query: { key } })).traces,
    output: (id, query = {}) => requests.call('GET /runs/:id/output', { path: { id }, query }),
    processes: async (id) => (await requests.call('GET /runs/:id/processes', { path: { id } })).processes,
    report: (id) => requests.text(`/runs/${encodeURIComponent(id)}/report`),
    drain: (id) => stop(id, 'drain'),
    cancel: (id) => stop(id, 'cancel'),
    resume: (id) => requests.call('POST /runs/:id/resume', { path: { id } }),
  };
}

function schedulesOf(requests: ServerRequests): ServerSchedules {
  return {
    list: async () => (await requests.call('GET /schedules', {})).schedules,
    decisions: async (workflow, name, query = {}) => {
      const path = { workflow, name };
      return (await requests.call('GET /schedules/:workflow/:name/decisions', { path, query })).decisions;
    },
    calendar: async (edges, schedule) => {
      const query = { edges: edges.join(','), schedule };
      return (await requests.call('GET /calendar', { query })).rows;
    },
    pause: (workflow, name, note = '') =>
      requests.call('POST /schedules/:workflow/:name/pause', { path: { workflow, name }, body: { note } }),
    unpause: (workflow, name) => requests.call('POST /schedules/:workflow/:name/unpause', { path: { workflow, name } }),
    preview: (body) => requests.call('POST /schedules/preview', { body }),
    put: (workflow, name, body) => requests.call('PUT /schedules/:workflow/:name', { path: { workflow, name }, body }),
    remove: async (workflow, name) => {
      await requests.call('DELETE /schedules/:workflow/:name', { path: { workflow, name } });
    },
  };
}

function backfillsOf(requests: ServerRequests): ServerBackfills {
  return {
    list: async () => (await requests.call('GET /backfills', {})).backfills,
    preview: (workflow, name, query) =>
      requests.call('GET /schedules/:workflow/:name/backfill', { path: { workflow, name }, query }),
    start: (workflow, name, body) =>
      requests.call('POST /schedules/:workflow/:name/backfill', { path: { workflow, name }, body }),
    stop: async (id, how) => (await requests.call('POST /backfills/:id/stop', { path: { id }, body: { how } })).stopped,
  };
}
