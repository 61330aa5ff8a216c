/**
 * Validates request bodies. Hand-written checks accept a valid body, because a zod parse costs about as much as the
 * rest of a request. Only an invalid body goes to zod, which names the first problem.
 *
 * Guarantees: the checks and the zod schemas accept the same bodies; a refusal has the path of the first invalid field,
 * in the order of the fields below.
 */
import { z } from 'zod';
import type { Features, Predictions } from './models.js';

/** The reason why a body was refused. `path` is empty if the whole body is wrong; array steps are written `[2]`. */
export interface BodyProblem {
  readonly code: string;
  readonly path: string;
  readonly message: string;
}

/** Unknown extra keys are ignored, so a client may send its whole record. */
export const featuresSchema = z.object({
  AVG_POINTS_BOUGHT: z.number(),
  AVG_REVENUE_USD: z.number(),
  LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: z.number(),
  LAST_3_TRANSACTIONS_AVG_REVENUE_USD: z.number(),
  PCT_BUY_TRANSACTIONS: z.number(),
  PCT_GIFT_TRANSACTIONS: z.number(),
  PCT_REDEEM_TRANSACTIONS: z.number(),
  DAYS_SINCE_LAST_TRANSACTION: z.number(),
});

export const predictionsSchema = z.object({ ats_prediction: z.number(), resp_prediction: z.number() });

/** Whether `body` is an object with the eight finite numbers. Runs once per record: keep it free of allocation. */
export function isFeatures(body: unknown): body is Features {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
  const given = body as Partial<Record<keyof Features, unknown>>;
  return (
    Number.isFinite(given.AVG_POINTS_BOUGHT) &&
    Number.isFinite(given.AVG_REVENUE_USD) &&
    Number.isFinite(given.LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT) &&
    Number.isFinite(given.LAST_3_TRANSACTIONS_AVG_REVENUE_USD) &&
    Number.isFinite(given.PCT_BUY_TRANSACTIONS) &&
    Number.isFinite(given.PCT_GIFT_TRANSACTIONS) &&
    Number.isFinite(given.PCT_REDEEM_TRANSACTIONS) &&
    Number.isFinite(given.DAYS_SINCE_LAST_TRANSACTION)
  );
}

/** Whether `body` is an object with two finite predictions. */
export function isPredictions(body: unknown): body is Predictions {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
  const given = body as Partial<Record<keyof Predictions, unknown>>;
  return Number.isFinite(given.ats_prediction) && Number.isFinite(given.resp_prediction);
}

/** The first problem zod finds in a body that a check above refused. */
export function problemIn(schema: z.ZodType, body: unknown): BodyProblem {
  const issue = schema.safeParse(body).error?.issues[0];
  return {
    code: 'INVALID_BODY',
    path: pathText(issue?.path ?? []),
    message: issue?.message ?? 'The body does not validate.',
  };
}

/** `['a', 2, 'b']` as `a[2].b`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${String(step)}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}

/** The JSON of an error reply: one shape for every refusal this server makes. */
export function errorBody(problem: BodyProblem): string {
  return `{"error":${JSON.stringify(problem)}}`;
}
