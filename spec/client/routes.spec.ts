/**
 * The table of routes of the client against the schemas of the server: the compiler compares each shape, and the spec
 * compares the routes and their schemas with the OpenAPI document that the server makes.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { Routes } from '#lib/client/routes.js';
import type { Json } from '#lib/model/json.js';
import { buildApp, type AppOptions } from '#lib/server/api/app.js';
import * as schemas from '#lib/server/api/schemas.js';

/** Sameness in both directions, also of the names of optional members. */
type IsSame<A, B> = [A] extends [B]
  ? [B] extends [A]
    ? [KeysOf<A>] extends [KeysOf<B>]
      ? [KeysOf<B>] extends [KeysOf<A>]
        ? true
        : false
      : false
    : false
  : false;

/** The names of all members, also of members of members. */
type KeysOf<T> = T extends readonly (infer Item)[]
  ? KeysOf<Item>
  : T extends object
    ? string extends keyof T
      ? never
      : { [Key in keyof T & string]-?: Key | `${Key}.${KeysOf<Exclude<T[Key], undefined | null>> & string}` }[keyof T &
          string]
    : never;

type ReadonlyOf<T> = T extends readonly (infer Item)[]
  ? readonly ReadonlyOf<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: ReadonlyOf<T[Key]> }
    : T;

/** The schema, if it has this type; otherwise an error of the compiler. Requests may leave out what has a default. */
type Fits<Schema, Type, Given> = IsSame<ReadonlyOf<Given>, ReadonlyOf<Type>> extends true ? Schema : never;

interface Held {
  readonly answer: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
}

/** The function that the compiler checks a schema with: `answer<Type>()(schema)`. */
const answer =
  <Type>() =>
  <Schema extends z.ZodType>(schema: Schema & Fits<Schema, Type, z.output<Schema>>): z.ZodType =>
    schema;
const request =
  <Type>() =>
  <Schema extends z.ZodType>(schema: Schema & Fits<Schema, Type, z.input<Schema>>): z.ZodType =>
    schema;

type Answer<Route extends keyof Routes> = Routes[Route]['answer'];
type Body<Route extends keyof Routes> = Routes[Route] extends { body: infer Given } ? Given : never;
type Query<Route extends keyof Routes> = Routes[Route] extends { query: infer Given } ? Given : never;

const HELD: { readonly [Route in keyof Routes]: Held } = {
  'GET /overview': { answer: answer<Answer<'GET /overview'>>()(schemas.Overview) },
  'GET /workflows': { answer: answer<Answer<'GET /workflows'>>()(schemas.Workflows) },
  'GET /workflows/:workflow/explanation': {
    answer: answer<Answer<'GET /workflows/:workflow/explanation'>>()(schemas.Explanation),
  },
  'GET /alerts': {
    answer: answer<Answer<'GET /alerts'>>()(schemas.Alerts),
    query: schemas.AlertsQuery,
  },
  'GET /runs': { answer: answer<Answer<'GET /runs'>>()(schemas.Runs), query: schemas.RunsQuery },
  'POST /workflows/:workflow/runs': {
    answer: answer<Answer<'POST /workflows/:workflow/runs'>>()(schemas.Run),
    body: request<Body<'POST /workflows/:workflow/runs'>>()(schemas.TriggerBody),
  },
  'GET /runs/:id': { answer: answer<Answer<'GET /runs/:id'>>()(schemas.Run) },
  'GET /runs/:id/view': { answer: answer<Answer<'GET /runs/:id/view'>>()(schemas.RunView) },
  'GET /runs/:id/history': { answer: answer<Answer<'GET /runs/:id/history'>>()(schemas.RunHistory) },
  'GET /runs/:id/explanation': { answer: answer<Answer<'GET /runs/:id/explanation'>>()(schemas.Explanation) },
  'GET /runs/:id/dead-letters': { answer: answer<Answer<'GET /runs/:id/dead-letters'>>()(schemas.LetterGroups) },
  'GET /runs/:id/letters': {
    answer: answer<Answer<'GET /runs/:id/letters'>>()(schemas.Letters),
    query: schemas.LettersQuery,
  },
  'POST /runs/:id/replay': { answer: answer<Answer<'POST /runs/:id/replay'>>()(schemas.Run) },
  'GET /runs/:id/why': { answer: answer<Answer<'GET /runs/:id/why'>>()(schemas.Story), query: schemas.StoryQuery },
  'GET /runs/:id/output': {
    answer: answer<Answer<'GET /runs/:id/output'>>()(schemas.Output),
    query: schemas.OutputQuery,
  },
  'GET /runs/:id/processes': { answer: answer<Answer<'GET /runs/:id/processes'>>()(schemas.Processes) },
  'GET /queue': { answer: answer<Answer<'GET /queue'>>()(schemas.Queue) },
  'POST /runs/:id/stop': {
    answer: answer<Answer<'POST /runs/:id/stop'>>()(schemas.Run),
    body: request<Body<'POST /runs/:id/stop'>>()(schemas.StopBody),
  },
  'POST /runs/:id/resume': { answer: answer<Answer<'POST /runs/:id/resume'>>()(schemas.Run) },
  'GET /schedules': { answer: answer<Answer<'GET /schedules'>>()(schemas.Schedules) },
  'GET /calendar': { answer: answer<Answer<'GET /calendar'>>()(schemas.Calendar), query: schemas.CalendarQuery },
  'GET /schedules/:workflow/:name/decisions': {
    answer: answer<Answer<'GET /schedules/:workflow/:name/decisions'>>()(schemas.Decisions),
    query: schemas.PageQuery,
  },
  'POST /schedules/:workflow/:name/pause': {
    answer: answer<Answer<'POST /schedules/:workflow/:name/pause'>>()(schemas.Schedule),
    body: request<Body<'POST /schedules/:workflow/:name/pause'>>()(schemas.PauseBody),
  },
  'POST /schedules/:workflow/:name/unpause': {
    answer: answer<Answer<'POST /schedules/:workflow/:name/unpause'>>()(schemas.Schedule),
  },
  'POST /schedules/preview': {
    answer: answer<Answer<'POST /schedules/preview'>>()(schemas.SchedulePreview),
    body: request<Body<'POST /schedules/preview'>>()(schemas.ScheduleBody),
  },
  'PUT /schedules/:workflow/:name': {
    answer: answer<Answer<'PUT /schedules/:workflow/:name'>>()(schemas.Schedule),
    body: request<Body<'PUT /schedules/:workflow/:name'>>()(schemas.ScheduleBody),
  },
  'DELETE /schedules/:workflow/:name': { answer: schemas.Done },
  'GET /backfills': { answer: answer<Answer<'GET /backfills'>>()(schemas.Backfills) },
  'GET /schedules/:workflow/:name/backfill': {
    answer: answer<Answer<'GET /schedules/:workflow/:name/backfill'>>()(schemas.BackfillPreview),
    query: schemas.BackfillQuery,
  },
  'POST /schedules/:workflow/:name/backfill': {
    answer: answer<Answer<'POST /schedules/:workflow/:name/backfill'>>()(schemas.Backfill),
    body: schemas.BackfillBody,
  },
  'POST /backfills/:id/stop': {
    answer: answer<Answer<'POST /backfills/:id/stop'>>()(schemas.Stopped),
    body: request<Body<'POST /backfills/:id/stop'>>()(schemas.StopBody),
  },
  'GET /triggers': { answer: answer<Answer<'GET /triggers'>>()(schemas.Triggers) },
  'POST /triggers/:workflow/:name/pause': {
    answer: answer<Answer<'POST /triggers/:workflow/:name/pause'>>()(schemas.Trigger),
    body: request<Body<'POST /triggers/:workflow/:name/pause'>>()(schemas.PauseBody),
  },
  'POST /triggers/:workflow/:name/unpause': {
    answer: answer<Answer<'POST /triggers/:workflow/:name/unpause'>>()(schemas.Trigger),
  },
  'GET /triggers/:workflow/:name/deliveries': {
    answer: answer<Answer<'GET /triggers/:workflow/:name/deliveries'>>()(schemas.Deliveries),
  },
  'GET /me': { answer: answer<Answer<'GET /me'>>()(schemas.Me) },
  'GET /tokens': { answer: answer<Answer<'GET /tokens'>>()(schemas.Tokens) },
  'POST /tokens': {
    answer: answer<Answer<'POST /tokens'>>()(schemas.NewToken),
    body: request<Body<'POST /tokens'>>()(schemas.TokenBody),
  },
  'DELETE /tokens/:id': { answer: schemas.Done },
  'POST /backup': { answer: answer<Answer<'POST /backup'>>()(schemas.Backup) },
  'GET /audit': { answer: answer<Answer<'GET /audit'>>()(schemas.Audit) },
};

/** Query parameters come as texts, so their schemas accept anything: what they result in has the type of the client. */
type Filled<T> = { readonly [Key in keyof T]-?: Exclude<T[Key], undefined> };
type IsQuery<Schema extends z.ZodType, Type> = IsSame<Filled<ReadonlyOf<z.output<Schema>>>, Filled<Type>>;
const queries: readonly true[] = [
  true satisfies IsQuery<typeof schemas.AlertsQuery, Query<'GET /alerts'>>,
  true satisfies IsQuery<typeof schemas.RunsQuery, Query<'GET /runs'>>,
  true satisfies IsQuery<typeof schemas.CalendarQuery, Query<'GET /calendar'>>,
  true satisfies IsQuery<typeof schemas.LettersQuery, Query<'GET /runs/:id/letters'>>,
  true satisfies IsQuery<typeof schemas.StoryQuery, Query<'GET /runs/:id/why'>>,
  true satisfies IsQuery<typeof schemas.OutputQuery, Query<'GET /runs/:id/output'>>,
  true satisfies IsQuery<typeof schemas.PageQuery, Query<'GET /schedules/:workflow/:name/decisions'>>,
  true satisfies IsQuery<typeof schemas.BackfillQuery, Query<'GET /schedules/:workflow/:name/backfill'>>,
  true satisfies IsQuery<typeof schemas.BackfillBody, Body<'POST /schedules/:workflow/:name/backfill'>>,
];

/** Routes that are for pages and programs of others, or whose answer is no JSON: the client has them another way. */
const OTHERWISE = [
  'POST /session',
  'POST /hooks/:workflow/:name',
  'GET /live',
  'GET /runs/:id/report',
  'GET /openapi.json',
];

interface Operation {
  readonly parameters: readonly { readonly in: string; readonly name: string; readonly schema: Json }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: Json }>> }>
  >;
}

let app: ReturnType<typeof buildApp>;
let operations: ReadonlyMap<string, Operation>;
beforeAll(async () => {
  const tokens = [{ id: 't', name: 't', role: 'admin', hash: '', createdAt: 0, expiresAt: null }];
  const ports = {
    store: { tokens: async () => tokens, addToken: async (token: object) => Object.assign(tokens[0] ?? {}, token) },
  };
  let host = '';
  app = buildApp({ ...ports, now: () => 0, hosts: () => [host], pages: '/none' } as unknown as AppOptions);
  const url = await app.http.listen({ host: '127.0.0.1', port: 0 });
  host = new URL(url).host;
  const authorization = `Bearer ${await app.access.newToken('t', 'admin', null)}`;
  const body = await (await fetch(`${url}/api/v1/openapi.json`, { headers: { authorization } })).text();
  const { paths } = JSON.parse(body) as { paths: Record<string, Record<string, Operation>> };
  operations = new Map(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [
        `${method.toUpperCase()} ${path.replace('/api/v1', '').replace(/\{(\w+)\}/g, ':$1')}`,
        operation,
      ]),
    ),
  );
});
afterAll(() => app.http.close());

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

it('the client has each route of the OpenAPI document, and no other', () => {
  expect([...Object.keys(HELD), ...OTHERWISE].sort()).toEqual([...operations.keys()].sort());
  expect(queries).not.toContain(false);
});

it.each(Object.keys(HELD) as (keyof Routes)[])('%s has the shapes of the document', (route) => {
  const { responses, requestBody, parameters } = operations.get(route) as Operation;
  const held: Held = HELD[route];
  expect(responses['200']?.content['application/json']?.schema).toEqual(jsonSchema(held.answer, 'output'));
  expect(requestBody?.content['application/json']?.schema).toEqual(held.body && jsonSchema(held.body, 'input'));
  const inQuery = parameters.filter((one) => one.in === 'query').map(({ name }) => name);
  const shape = held.query === undefined ? {} : (held.query as z.ZodObject).shape;
  expect(inQuery.sort()).toEqual(Object.keys(shape).sort());
  const inPath = parameters.filter((one) => one.in === 'path').map(({ name }) => name);
  expect(inPath.sort()).toEqual([...route.matchAll(/:(\w+)/g)].map(([, name]) => name).sort());
});

it('the document has the answer of routes that need to know the workflows while a server has just started', () => {
  const answered = [...operations].filter(([, { responses }]) => '503' in responses).map(([route]) => route);
  expect(answered.sort()).toEqual([
    'GET /triggers/:workflow/:name/deliveries',
    'GET /workflows/:workflow/explanation',
    'POST /hooks/:workflow/:name',
    'POST /schedules/:workflow/:name/backfill',
    'POST /triggers/:workflow/:name/pause',
    'POST /triggers/:workflow/:name/unpause',
    'POST /workflows/:workflow/runs',
    'PUT /schedules/:workflow/:name',
  ]);
});

it('the server closes connections that are slow with their headers or their body, and has a bound for them', () => {
  const { headersTimeout, requestTimeout, maxConnections } = app.http.server;
  expect([headersTimeout, requestTimeout, maxConnections]).toEqual([10_000, 30_000, 1000]);
});
