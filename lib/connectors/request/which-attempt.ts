/**
 * Which attempt a request is, told beside its config, because nothing that goes over the wire says so. Adapters that send
 * do not look at it; axios hands properties it does not know on.
 */
import type { AxiosRequestConfig } from 'axios';
import type { UpstreamCall } from '../../model/upstream.js';
import type { Attempt } from '../../calls/call.js';

export type WhichAttempt = Pick<UpstreamCall, 'attempt' | 'isHedge'>;

interface Told {
  whichAttempt?: WhichAttempt;
}

/** Of a request that carries several records: the most tries that one of them has had. */
export function whichAttempt(attempts: readonly Pick<Attempt<unknown>, 'number' | 'isHedge'>[]): WhichAttempt {
  let attempt = 1;
  for (const { number } of attempts) attempt = Math.max(attempt, number);
  return { attempt, isHedge: attempts.some(({ isHedge }) => isHedge) };
}

export function tellAttempt(config: AxiosRequestConfig, which: WhichAttempt): AxiosRequestConfig {
  (config as Told).whichAttempt = which;
  return config;
}

/** A request that somebody's interceptor made by itself is a first attempt. */
export function attemptOf(config: AxiosRequestConfig): WhichAttempt {
  return (config as Told).whichAttempt ?? { attempt: 1, isHedge: false };
}
