/**
 * What the server can do, apart from how it is asked: three operations from a parsed body to the JSON text of the
 * answer, the same over HTTP and WebSocket. The promise: an operation never throws and never answers with a number
 * that JSON cannot carry; a body it refuses comes back as a problem with its path.
 */
import { featuresSchema, isFeatures, isPredictions, predictionsSchema, problemIn } from './bodies.js';
import type { BodyProblem } from './bodies.js';
import { errorBody } from './bodies.js';
import { atsOf, offerOf, respOf } from './models.js';
import type { Features } from './models.js';

export interface Operation {
  /** Where it is found over HTTP; `${path}/batch` takes an array. */
  readonly path: string;
  /** What it is called over JSON-RPC. */
  readonly method: string;
  /** The answer as JSON text (an object), or why there is none. */
  readonly evaluate: (body: unknown) => string | BodyProblem;
}

export const operations: readonly Operation[] = [
  { path: '/ml/ats/predict', method: 'ats.predict', evaluate: (body) => predict(body, atsOf) },
  { path: '/ml/resp/predict', method: 'resp.predict', evaluate: (body) => predict(body, respOf) },
  { path: '/offer/assign', method: 'offer.assign', evaluate: assign },
];

/** The name a fault set uses for the WebSocket handshake. */
export const UPGRADE_ROUTE = 'upgrade';

/** Every name by which a fault may be limited to a route: HTTP paths, JSON-RPC methods, and the handshake. */
export const routeNames: readonly string[] = [
  '/',
  ...operations.flatMap((operation) => [operation.path, batchPath(operation), operation.method]),
  UPGRADE_ROUTE,
];

export function batchPath(operation: Operation): string {
  return `${operation.path}/batch`;
}

/**
 * Answers an array of bodies with an array of answers and errors in the same order. `isItemFailing` is asked once per
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
  // Finite features can still overflow, and days of -1 divide by zero; JSON would turn both into null.
  if (!Number.isFinite(prediction)) {
    return { code: 'NOT_FINITE', path: '', message: 'The features lead to a prediction that is not a finite number.' };
  }
  return `{"prediction":${String(prediction)}}`;
}

function assign(body: unknown): string | BodyProblem {
  return isPredictions(body) ? `{"offer":"${offerOf(body)}"}` : problemIn(predictionsSchema, body);
}
