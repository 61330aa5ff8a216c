/** The routes for the records of a run: its dead letters, their replay, and the story of one record. */
import { lstatSync } from 'node:fs';
import { groupLetters, lettersOf } from '../../jobs/dead-letters.js';
import { lettersFileOf } from '../../jobs/kept-runs.js';
import { recordName } from '../../model/lineage-id.js';
import type { DeadLetter } from '../../model/ports.js';
import type { RunFolder } from '../../storage/run-folder.js';
import { maskSecrets } from '../../text/mask-secrets.js';
import { audit, httpError, type Api } from './api.js';
import { folderOf, knownRun, linked } from './known-run.js';
import { shownRun } from './present.js';
import { Letters, LetterGroups, LettersQuery, Problem, Run, RunParams, Story, StoryQuery } from './schemas.js';

/** The most characters that are shown of a record. */
const RECORD_LENGTH = 4000;

export function recordRoutes(api: Api): void {
  const { http, supervisor, stories } = api;
  http.get(
    '/api/v1/runs/:id/dead-letters',
    {
      config: { role: 'operator', summary: 'The dead letters of a run, by reason' },
      schema: { params: RunParams, response: { 200: LetterGroups, 404: Problem } },
    },
    async ({ params }) => {
      const folder = await folderOf(api, params.id);
      if (!hasLetters(folder, params.id)) return { groups: [], others: 0 };
      const { groups, others } = await groupLetters(folder);
      return { groups: [...groups], others };
    },
  );
  http.get(
    '/api/v1/runs/:id/letters',
    {
      config: { role: 'operator', summary: 'The dead letters of a run with one reason, with their records' },
      schema: { params: RunParams, querystring: LettersQuery, response: { 200: Letters, 404: Problem } },
    },
    async ({ params, query: { skip, limit, ...reason } }) => {
      const folder = await folderOf(api, params.id);
      const letters: ReturnType<typeof shownLetter>[] = [];
      if (!hasLetters(folder, params.id)) return { letters, hasMore: false };
      let passed = 0;
      for await (const letter of lettersOf(folder, reason)) {
        if (letters.length === limit) return { letters, hasMore: true };
        if (passed++ >= skip) letters.push(shownLetter(letter));
      }
      return { letters, hasMore: false };
    },
  );
  http.post(
    '/api/v1/runs/:id/replay',
    {
      config: { role: 'operator', summary: 'Processes the records of the dead letters of a completed run again' },
      schema: { params: RunParams, response: { 200: Run, 404: Problem, 409: Problem } },
    },
    async (request) => {
      const { id, state, deadLetters } = await knownRun(api, request.params.id);
      if (deadLetters === 0) throw httpError(409, 'MILLRACE_USAGE', `Run ${id} has no dead letters to replay`);
      if (!(await supervisor.replay(id))) {
        const fix = 'Dead letters of a completed run can be replayed';
        throw httpError(409, 'MILLRACE_RESUME', `Run ${id} is ${state}. ${fix}`);
      }
      await audit(api, request, 'replay dead letters of run', id);
      api.poke();
      return shownRun(await knownRun(api, id), supervisor);
    },
  );
  http.get(
    '/api/v1/runs/:id/why',
    {
      config: { role: 'operator', summary: 'The story of a record: where it was read, given up and written' },
      schema: {
        params: RunParams,
        querystring: StoryQuery,
        response: { 200: Story, 404: Problem, 409: Problem, 429: Problem },
      },
    },
    async ({ params, query }) => {
      await folderOf(api, params.id);
      if (stories.isFull) throw httpError(429, 'MILLRACE_USAGE', 'Other records are being searched. Try again soon');
      try {
        return { traces: [...(await stories.of(params.id, query.key))] };
      } catch (error) {
        throw httpError(409, 'MILLRACE_USAGE', (error as Error).message);
      }
    },
  );
}

/** False without a file of letters. A link is refused. */
function hasLetters(folder: RunFolder, id: string): boolean {
  const kind = lstatSync(lettersFileOf(folder), { throwIfNoEntry: false });
  if (kind !== undefined && !kind.isFile()) throw linked(id);
  return kind !== undefined;
}

function shownLetter({ lineage, record, attempts, message, lastAt }: DeadLetter): {
  name: string;
  record: string;
  attempts: number;
  message: string;
  at: number;
} {
  const text = JSON.stringify(maskSecrets(record)) as string | undefined;
  return {
    name: recordName(lineage),
    record: (text ?? '').slice(0, RECORD_LENGTH),
    attempts,
    message,
    at: lastAt,
  };
}
