/**
 * The three operations of the server, from a parsed body to the JSON text of the answer. They are the same over HTTP
 * and WebSocket.
 *
 * Guarantees: an operation never throws and never answers with a number that JSON cannot represent; for a refused body,
 * it returns a problem with its path. A request has at most `MOST_ITEMS` bodies, and predictions are written as floats.
 */
import { featuresSchema, isFeatures, isPredictions, predictionsSchema, problemIn } from './bodies.js';
import type { BodyProblem } from './bodies.js';
import { errorBody } from './bodies.js';
import { atsOf, offerOf, respOf } from './models.js';
import type { Features } from './models.js';

export interface Operation {
  /** The HTTP path; `${path}/batch` accepts an array. */
  readonly path: string;
  /** The JSON-RPC method. */
  readonly method: string;
  /** The answer as the JSON text of an object, or the reason why there is no answer. */
  readonly evaluate: (body: unknown) => string | BodyProblem;
}

export const operations: readonly Operation[] = [
  { path: '/ml/ats/predict', method: 'ats.predict', evaluate: (body) => predict(body, atsOf) },
  { path: '/ml/resp/predict', method: 'resp.predict', evaluate: (body) => predict(body, respOf) },
  { path: '/offer/assign', method: 'offer.assign', evaluate: assign },
];

/** The name of the WebSocket handshake in a fault set. */
export const UPGRADE_ROUTE = 'upgrade';

/** Every route name that a fault set may contain: HTTP paths, JSON-RPC methods and the handshake. */
export const routeNames: readonly string[] = [
  '/',
  ...operations.flatMap((operation) => [operation.path, batchPath(operation), operation.method]),
  UPGRADE_ROUTE,
];

/** The most bodies or calls in one request. Without a bound, one request of many tiny items could stop the server. */
export const MOST_ITEMS = 10_000;

export function batchPath(operation: Operation): string {
  return `${operation.path}/batch`;
}

/**
 * Answers an array of bodies with an array of answers and errors in the same order. Calls `isItemFailing` once per
 * item, so that a single record of a batch can fail.
 */
export function evaluateBatch(
  operation: Operation,
  bodies: unknown,
  isItemFailing: (() => boolean) | undefined,
): string | BodyProblem {
  if (!Array.isArray(bodies)) {
    return { code: 'INVALID_BODY', path: '', message: 'Invalid input: expected an array of bodies' };
  }
  if (bodies.length > MOST_ITEMS) {
    const message = `The batch has ${String(bodies.length)} bodies, and ${String(MOST_ITEMS)} are allowed.`;
    return { code: 'BATCH_TOO_LARGE', path: '', message };
  }
  const answers: string[] = [];
  for (const body of bodies as unknown[]) {
    if (isItemFailing?.() === true) {
      answers.push(errorBody({ code: 'SERVICE_UNAVAILABLE', path: '', message: 'Injected fault: this item failed.' }));
      continue;
    }
    const answer = operation.evaluate(body);
    answers.push(typeof answer === 'string' ? answer : errorBody(answer));
  }
  return `[${answers.join(',')}]`;
}

function predict(body: unknown, model: (features: Features) => number): string | BodyProblem {
  if (!isFeatures(body)) return problemIn(featuresSchema, body);
  const prediction = model(body);
  // Finite features can still overflow, and -1 days divide by zero. JSON would turn both results into null.
  if (!Number.isFinite(prediction)) {
    return { code: 'NOT_FINITE', path: '', message: 'The features lead to a prediction that is not a finite number.' };
  }
  return `{"prediction":${floatText(prediction)}}`;
}

/** A float as most servers write it: with a fraction, also if it is a whole number. */
function floatText(value: number): string {
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function assign(body: unknown): string | BodyProblem {
  return isPredictions(body) ? `{"offer":"${offerOf(body)}"}` : problemIn(predictionsSchema, body);
}
