/** Requests to the server of this page, and its live events. */
import { signal } from '@preact/signals';
import type { z } from 'zod';
import type * as schemas from '#lib/server/api/schemas.js';

export type Run = z.output<typeof schemas.Run>;
export type RunView = z.output<typeof schemas.RunView>;
export type RunHistory = z.output<typeof schemas.RunHistory>;
export type Explanation = z.output<typeof schemas.Explanation>;
export type TaskView = z.output<typeof schemas.TaskView>;
export type EdgeView = z.output<typeof schemas.EdgeView>;
export type Overview = z.output<typeof schemas.Overview>;
export type Workflow = z.output<typeof schemas.Workflow>;
export type Workflows = z.output<typeof schemas.Workflows>;
export type Schedule = z.output<typeof schemas.Schedule>;
export type Decision = z.output<typeof schemas.Decision>;
export type SchedulePreview = z.output<typeof schemas.SchedulePreview>;
export type CalendarRow = z.output<typeof schemas.Calendar>['rows'][number];
export type CalendarCell = CalendarRow['cells'][number];
export type Backfill = z.output<typeof schemas.Backfill>;
export type BackfillPreview = z.output<typeof schemas.BackfillPreview>;
export type Alert = z.output<typeof schemas.Alert>;
export type Token = z.output<typeof schemas.Token>;
export type Me = z.output<typeof schemas.Me>;
export type AuditEntry = z.output<typeof schemas.Audit>['entries'][number];
export type Trigger = z.output<typeof schemas.Trigger>;
export type Delivery = z.output<typeof schemas.Deliveries>['deliveries'][number];
export type Letters = z.output<typeof schemas.Letters>;
export type Story = z.output<typeof schemas.Story>;
export type Output = z.output<typeof schemas.Output>;
export type Processes = z.output<typeof schemas.Processes>;
export type Queue = z.output<typeof schemas.Queue>;
export type LetterGroups = z.output<typeof schemas.LetterGroups>;

const KEY = 'millrace token';

/** The empty string before the user has signed in. */
export const token = signal(localStorage.getItem(KEY) ?? '');
/** Grows when something has changed on the server. */
export const version = signal(0);
export const isLive = signal(false);

export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function send(method: string, path: string, body?: unknown): Promise<Response> {
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers: {
      ...(token.value === '' ? {} : { authorization: `Bearer ${token.value}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (response.ok) return response;
  const answer = (await response.json().catch(() => ({}))) as { message?: string };
  if (response.status === 401 && path !== '/session') signOut();
  throw new ApiError(response.status, answer.message ?? `The server answered with status ${response.status}`);
}

export async function get<Answer>(path: string): Promise<Answer> {
  return (await (await send('GET', path)).json()) as Answer;
}

export async function post<Answer>(path: string, body?: unknown): Promise<Answer> {
  return (await (await send('POST', path, body)).json()) as Answer;
}

export async function put<Answer>(path: string, body: unknown): Promise<Answer> {
  return (await (await send('PUT', path, body)).json()) as Answer;
}

export async function remove(path: string): Promise<void> {
  await send('DELETE', path);
}

/** Saves an answer as a file. */
export async function save(path: string, name: string): Promise<void> {
  const url = URL.createObjectURL(await (await send('GET', path)).blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

export function signIn(given: string): void {
  localStorage.setItem(KEY, given);
  token.value = given;
}

export function signOut(): void {
  localStorage.removeItem(KEY);
  token.value = '';
}

/** Exchanges the code of the printed address for a token. */
export async function exchange(code: string): Promise<void> {
  const session = await post<{ token: string }>('/session', { code });
  signIn(session.token);
}

/** Follows the live events until the returned function is called. Connects again when the connection breaks. */
export function follow(runId: string | undefined, onRun: (view: RunView) => void): () => void {
  const controller = new AbortController();
  const { signal: stop } = controller;
  void (async () => {
    while (!stop.aborted) {
      try {
        await readEvents(runId, onRun, stop);
      } catch {
        // The server has stopped, or the network is gone.
      }
      isLive.value = false;
      await new Promise((resolve) => setTimeout(resolve, 2000));
      version.value++;
    }
  })();
  return () => {
    controller.abort();
  };
}

async function readEvents(runId: string | undefined, onRun: (view: RunView) => void, stop: AbortSignal): Promise<void> {
  const query = runId === undefined ? '' : `?run=${encodeURIComponent(runId)}`;
  const response = await fetch(`/api/v1/live${query}`, {
    headers: { authorization: `Bearer ${token.value}` },
    signal: stop,
  });
  if (response.status === 401) signOut();
  if (!response.ok || response.body === null) return;
  isLive.value = true;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest: string[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    // An event with a large graph comes in many pieces, which are joined once.
    const isWhole = `${rest.at(-1)?.at(-1) ?? ''}${value}`.includes('\n\n');
    rest.push(value);
    if (!isWhole) continue;
    const parts = rest.join('').split('\n\n');
    rest = [parts.pop() ?? ''];
    for (const part of parts) {
      const event = /^event: (.*)$/m.exec(part)?.[1];
      const data = /^data: (.*)$/m.exec(part)?.[1] ?? '';
      if (event === 'change') version.value++;
      if (event === 'run') onRun(JSON.parse(data) as RunView);
    }
  }
}
