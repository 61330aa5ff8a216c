/**
 * The latency of the server.
 *
 * Guarantees: the same specification and seed have the same sequence of delays, and no delay is negative; a latency of
 * 0 has no sampler, so that the server can answer without a timer.
 */
import { z } from 'zod';
import { gaussian } from './random.js';
import type { Random } from './random.js';

/** The longest timer of Node; a longer one would fire at once. */
export const LONGEST_MS = 2_147_483_647;

/**
 * A fixed delay in ms, or a distribution: as an object or as text (`5`, `normal:20:5`, `lognormal:20:0.5`). For
 * lognormal, `medianMs` is the median and `sigma` the standard deviation of the logarithm.
 */
export type LatencySpec = number | string | LatencyModel;

/** A distribution of delays in milliseconds. Its samples are limited to the range from 0 to 2^31 − 1. */
export type LatencyModel =
  | {
      /** Always the same. */
      readonly kind: 'fixed';
      /** 0 to 2^31 − 1. */
      readonly ms: number;
    }
  | {
      /** The normal distribution; a negative sample becomes 0. */
      readonly kind: 'normal';
      /** The mean of the curve, in milliseconds. */
      readonly meanMs: number;
      /** The standard deviation, in milliseconds. */
      readonly sdMs: number;
    }
  | {
      /** A distribution with a heavy tail, like real latencies. */
      readonly kind: 'lognormal';
      /** Half of the delays are shorter, in milliseconds. */
      readonly medianMs: number;
      /** The standard deviation of the natural logarithm, 0 to 10. */
      readonly sigma: number;
    };

const milliseconds = z.number().min(0).max(LONGEST_MS);
const modelSchema: z.ZodType<LatencyModel> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fixed'), ms: milliseconds }),
  z.strictObject({ kind: z.literal('normal'), meanMs: milliseconds, sdMs: milliseconds }),
  z.strictObject({ kind: z.literal('lognormal'), medianMs: milliseconds, sigma: z.number().min(0).max(10) }),
]);

/** Accepts all three forms of a latency in JSON. */
export const latencySchema: z.ZodType<LatencySpec> = z
  .union([z.number(), z.string(), modelSchema])
  .refine((spec) => modelFrom(spec) !== undefined, { error: (issue) => latencyComplaint(issue.input) });

/** Draws the next delay, in ms, 0 ≤ ms ≤ 2^31 − 1. */
export type LatencySampler = () => number;

/** Converts a specification into a model. Throws a RangeError whose message describes the valid forms. */
export function parseLatency(spec: LatencySpec): LatencyModel {
  const model = modelFrom(spec);
  if (model === undefined) throw new RangeError(latencyComplaint(spec));
  return model;
}

/** A sampler of the model, or undefined if every sample would be 0. */
export function latencySampler(model: LatencyModel, random: Random): LatencySampler | undefined {
  switch (model.kind) {
    case 'fixed': {
      const { ms } = model;
      return ms === 0 ? undefined : () => ms;
    }
    case 'normal':
      return () => within(model.meanMs + model.sdMs * gaussian(random));
    case 'lognormal':
      return () => within(model.medianMs * Math.exp(model.sigma * gaussian(random)));
  }
}

function modelFrom(spec: unknown): LatencyModel | undefined {
  const parsed = modelSchema.safeParse(
    typeof spec === 'number' ? { kind: 'fixed', ms: spec } : typeof spec === 'string' ? fromText(spec) : spec,
  );
  return parsed.success ? parsed.data : undefined;
}

function fromText(text: string): unknown {
  const [kind = '', ...rest] = text.split(':');
  const numbers = rest.map(numberFrom);
  if (rest.length === 0) return { kind: 'fixed', ms: numberFrom(kind) };
  if (rest.length !== 2) return undefined;
  if (kind === 'normal') return { kind, meanMs: numbers[0], sdMs: numbers[1] };
  if (kind === 'lognormal') return { kind, medianMs: numbers[0], sigma: numbers[1] };
  return undefined;
}

/** Number('') is 0, which would let `normal::5` through. */
function numberFrom(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}

function within(ms: number): number {
  return Math.min(LONGEST_MS, Math.max(0, ms));
}

function latencyComplaint(spec: unknown): string {
  return `Expected a latency such as 5, normal:20:5 or lognormal:20:0.5 (ms, not negative), got ${JSON.stringify(spec)}`;
}
