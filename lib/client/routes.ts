/**
 * The routes of the API of a server, with the types of requests and answers. `spec/client/routes.spec.ts` compares this
 * table with the schemas from which the server makes its OpenAPI document: both have the same routes and shapes.
 */
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
  ServerTrace,
} from './shapes/runs.js';
import type { ServerExplanation } from './shapes/explanation.js';
import type { ServerRunHistory } from './shapes/run-history.js';
import type { ServerRunView } from './shapes/run-view.js';
import type {
  BackfillPreview,
  BackfillRequest,
  CalendarQuery,
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

/** The routes by method and path below `/api/v1`. A route without a query or a body has no such member. */
export interface Routes {
  'GET /overview': { answer: ServerOverview };
  'GET /workflows': { answer: ServerWorkflows };
  'GET /workflows/:workflow/explanation': { answer: ServerExplanation };
  'GET /alerts': {
    query: { readonly limit?: number | undefined };
    answer: { readonly alerts: readonly ServerAlert[] };
  };
  'GET /runs': { query: RunsQuery; answer: RunsPage };
  'POST /workflows/:workflow/runs': { body: RunRequest; answer: ServerRun };
  'GET /runs/:id': { answer: ServerRun };
  'GET /runs/:id/view': { answer: ServerRunView };
  'GET /runs/:id/history': { answer: ServerRunHistory };
  'GET /runs/:id/explanation': { answer: ServerExplanation };
  'GET /runs/:id/dead-letters': { answer: LetterGroups };
  'GET /runs/:id/letters': { query: LettersQuery; answer: LettersPage };
  'POST /runs/:id/replay': { answer: ServerRun };
  'GET /runs/:id/why': { query: { readonly key: string }; answer: { readonly traces: readonly ServerTrace[] } };
  'GET /runs/:id/output': { query: OutputQuery; answer: RunOutput };
  'GET /runs/:id/processes': { answer: { readonly processes: readonly RunProcess[] } };
  'GET /queue': { answer: ServerQueue };
  'POST /runs/:id/stop': { body: { readonly how: 'drain' | 'cancel' }; answer: ServerRun };
  'POST /runs/:id/resume': { answer: ServerRun };
  'GET /schedules': { answer: { readonly schedules: readonly ServerSchedule[] } };
  'GET /calendar': { query: CalendarQuery; answer: { readonly rows: readonly CalendarRow[] } };
  'GET /schedules/:workflow/:name/decisions': {
    query: DecisionsQuery;
    answer: { readonly decisions: readonly ScheduleDecision[] };
  };
  'POST /schedules/:workflow/:name/pause': { body: { readonly note?: string | undefined }; answer: ServerSchedule };
  'POST /schedules/:workflow/:name/unpause': { answer: ServerSchedule };
  'POST /schedules/preview': { body: ScheduleRule; answer: SchedulePreview };
  'PUT /schedules/:workflow/:name': { body: ScheduleRule; answer: ServerSchedule };
  'DELETE /schedules/:workflow/:name': { answer: Readonly<Record<string, never>> };
  'GET /backfills': { answer: { readonly backfills: readonly ServerBackfill[] } };
  'GET /schedules/:workflow/:name/backfill': { query: TickRange; answer: BackfillPreview };
  'POST /schedules/:workflow/:name/backfill': { body: BackfillRequest; answer: ServerBackfill };
  'POST /backfills/:id/stop': { body: { readonly how: 'drain' | 'cancel' }; answer: { readonly stopped: number } };
  'GET /triggers': { answer: { readonly triggers: readonly ServerTrigger[] } };
  'POST /triggers/:workflow/:name/pause': { body: { readonly note?: string | undefined }; answer: ServerTrigger };
  'POST /triggers/:workflow/:name/unpause': { answer: ServerTrigger };
  'GET /triggers/:workflow/:name/deliveries': { answer: { readonly deliveries: readonly ServerDelivery[] } };
  'GET /me': { answer: { readonly name: string; readonly role: ServerRole } };
  'GET /tokens': { answer: { readonly tokens: readonly ServerToken[] } };
  'POST /tokens': { body: TokenRequest; answer: { readonly token: string } };
  'DELETE /tokens/:id': { answer: Readonly<Record<string, never>> };
  'POST /backup': { answer: { readonly path: string } };
  'GET /audit': { answer: { readonly entries: readonly ServerAuditEntry[] } };
}

/** The names of the parameters in a path. */
type ParametersOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParametersOf<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** The parts of a request of a route. */
export type RequestOf<Route extends keyof Routes> = ([ParametersOf<Route>] extends [never]
  ? unknown
  : { readonly path: Readonly<Record<ParametersOf<Route>, string>> }) &
  (Routes[Route] extends { query: infer Query } ? { readonly query: Query } : unknown) &
  (Routes[Route] extends { body: infer Body } ? { readonly body: Body } : unknown);
