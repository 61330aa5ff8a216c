/** The routes for triggers, and the route that accepts the messages of webhooks. */
import { randomBytes } from 'node:crypto';
import type { Json } from '../../model/json.js';
import { atPointer, kindOf, type KnownTrigger } from '../triggers/known-triggers.js';
import { signedId } from '../triggers/signature.js';
import type { Pause } from '../schedules/stored-schedule.js';
import { audit, httpError, type Api } from './api.js';
import { Deliveries, HookAnswer, PauseBody, Problem, Trigger, TriggerParams, Triggers } from './schemas.js';
import type { FastifyInstance } from 'fastify';
import type { ZodProvider } from './zod-provider.js';

const BODY_BYTES = 256 * 1024;
const SHOWN_DELIVERIES = 50;
const MINUTE_MS = 60_000;
const MOST_PER_MINUTE = 60;
/** The most runs in the queue. Requests beyond it are refused. */
export const MOST_QUEUED = 10_000;

export function triggerRoutes(api: Api): void {
  const { http, store, triggers } = api;
  http.get(
    '/api/v1/triggers',
    {
      config: { role: 'viewer', summary: 'The triggers of the workflows', workflows: 'awaited' },
      schema: { response: { 200: Triggers } },
    },
    () => Promise.resolve({ triggers: triggers().map((one) => shownTrigger(api, one)) }),
  );
  http.get(
    '/api/v1/triggers/:workflow/:name/deliveries',
    {
      config: {
        role: 'viewer',
        summary: 'The events at which a trigger has started a run, newest first',
        workflows: 'required',
      },
      schema: { params: TriggerParams, response: { 200: Deliveries, 404: Problem } },
    },
    async ({ params }) => {
      const { id } = knownTrigger(api, params);
      const found = await store.deliveries(id, SHOWN_DELIVERIES);
      return { deliveries: found.map(({ subject, at, runId }) => ({ subject, at, runId })) };
    },
  );
  http.post(
    '/api/v1/triggers/:workflow/:name/pause',
    {
      config: {
        role: 'operator',
        summary: 'Pauses a trigger: its events start no runs until it is unpaused',
        workflows: 'required',
      },
      schema: { params: TriggerParams, body: PauseBody, response: { 200: Trigger, 404: Problem } },
    },
    async (request) => {
      const known = knownTrigger(api, request.params);
      const pause = { by: request.user?.name ?? '', at: api.now(), note: request.body.note };
      await api.pauseTrigger(known.id, pause);
      await audit(api, request, 'pause trigger', known.id);
      return shownTrigger(api, known);
    },
  );
  http.post(
    '/api/v1/triggers/:workflow/:name/unpause',
    {
      config: { role: 'operator', summary: 'Ends the pause of a trigger', workflows: 'required' },
      schema: { params: TriggerParams, response: { 200: Trigger, 404: Problem } },
    },
    async (request) => {
      const known = knownTrigger(api, request.params);
      await api.pauseTrigger(known.id, null);
      await audit(api, request, 'unpause trigger', known.id);
      api.poke();
      return shownTrigger(api, known);
    },
  );
  // A signature covers the bytes of the body, so the body is parsed only after the check of the signature.
  void http.register((scope: FastifyInstance, _, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, parsed) => {
      parsed(null, body);
    });
    hookRoute({ ...api, http: scope.withTypeProvider<ZodProvider>() });
    done();
  });
}

function knownTrigger(
  { triggers }: Api,
  { workflow, name }: { readonly workflow: string; readonly name: string },
): KnownTrigger {
  const id = `${workflow}/${name}`;
  const found = triggers().find((one) => one.id === id);
  if (found !== undefined) return found;
  throw httpError(404, 'MILLRACE_USAGE', `There is no trigger '${id}'`);
}

function hookRoute(api: Api): void {
  const { http, supervisor, environment, now } = api;
  const accepted = new Map<string, number[]>();
  // A secret for unknown webhooks, so that their answer takes as long as the answer to a wrong signature.
  const nobody = randomBytes(32).toString('hex');
  http.post(
    '/api/v1/hooks/:workflow/:name',
    {
      config: {
        role: 'public',
        summary: 'Accepts a message with a signature of Standard Webhooks, and starts a run',
        workflows: 'required',
      },
      bodyLimit: BODY_BYTES,
      schema: {
        params: TriggerParams,
        response: { 202: HookAnswer, 400: Problem, 401: Problem, 413: Problem, 429: Problem, 503: Problem },
      },
    },
    async ({ params, headers, body: given }, reply) => {
      const id = `${params.workflow}/${params.name}`;
      const known = api.triggers().find((one) => one.id === id && one.problem === '');
      const hook = known !== undefined && 'webhook' in known.trigger ? known.trigger : undefined;
      const secret = (hook === undefined ? undefined : environment[hook.webhook]) ?? nobody;
      const bytes = Buffer.isBuffer(given) ? given : Buffer.alloc(0);
      const message = signedId(headers, bytes, secret, now());
      if (message === undefined || hook === undefined || known === undefined) {
        // The workflow of this webhook may be the one that does not load. A sender repeats a message after 503, and not
        // after 401. A wrong signature gets the same answer, so a stranger cannot find out which webhooks exist.
        if (api.catalog.problems.length > 0) {
          throw httpError(
            503,
            'MILLRACE_USAGE',
            'A workflow of this server does not load. Send the message again later',
          );
        }
        throw httpError(
          401,
          'MILLRACE_USAGE',
          'Expected a message for a webhook of this server, with its headers webhook-id, webhook-timestamp and webhook-signature, not older than five minutes',
        );
      }
      if (api.triggerPause(id) !== undefined) {
        throw httpError(503, 'MILLRACE_USAGE', 'This webhook is paused. Send the message again later');
      }
      const recent = (accepted.get(id) ?? []).filter((at) => at > now() - MINUTE_MS);
      if (recent.length >= MOST_PER_MINUTE) {
        throw httpError(429, 'MILLRACE_USAGE', `More than ${MOST_PER_MINUTE} messages per minute. Send it again later`);
      }
      accepted.set(id, [...recent, now()]);
      await assertRoom(api);
      const settings = settingsFrom(bytes, hook.fromBody ?? {});
      const { delivery } = await supervisor.deliver(known, { key: message, subject: message, settings });
      api.poke();
      return reply.code(202).send({ runId: delivery.runId });
    },
  );
}

/** Refuses one more run if too many are queued. */
export async function assertRoom({ store }: Pick<Api, 'store'>): Promise<void> {
  if ((await store.counts()).queued < MOST_QUEUED) return;
  throw httpError(429, 'MILLRACE_USAGE', `${MOST_QUEUED} runs are queued. Ask again when some of them have ended`);
}

function settingsFrom(bytes: Buffer, fromBody: Readonly<Record<string, string>>): Readonly<Record<string, Json>> {
  const wanted = Object.entries(fromBody);
  if (wanted.length === 0) return {};
  let body: Json;
  try {
    body = JSON.parse(bytes.toString('utf8')) as Json;
  } catch {
    throw httpError(400, 'MILLRACE_USAGE', 'Expected the body to be JSON');
  }
  return Object.fromEntries(
    wanted.map(([key, pointer]) => {
      const value = atPointer(body, pointer);
      if (value !== undefined) return [key, value];
      throw httpError(400, 'MILLRACE_USAGE', `The message has nothing at '${pointer}', which is the setting '${key}'`);
    }),
  );
}

function shownTrigger(
  { fileProblem, triggerPause }: Api,
  { id, workflow, name, trigger, problem }: KnownTrigger,
): ShownTrigger {
  const kind = kindOf(trigger);
  const rule =
    'webhook' in trigger
      ? `POST /api/v1/hooks/${encodeURIComponent(workflow)}/${encodeURIComponent(name)}`
      : 'files' in trigger
        ? trigger.files
        : `after ${trigger.after} has ${trigger.when ?? 'completed'}`;
  const shown = problem === '' ? fileProblem(id) : problem;
  return { id, workflow, name, kind, rule, problem: shown, pause: triggerPause(id) ?? null };
}

interface ShownTrigger {
  id: string;
  workflow: string;
  name: string;
  kind: 'webhook' | 'file' | 'workflow';
  rule: string;
  problem: string;
  pause: Pause | null;
}
