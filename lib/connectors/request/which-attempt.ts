/**
 * The attempt number of a request, carried in its axios config for the stand-in of the network. It is not sent:
 * adapters that send ignore it, and axios passes unknown properties on.
 */
import type { AxiosRequestConfig } from 'axios';
import type { UpstreamCall } from '../../connect/index.js';
import type { Attempt } from '../../calls/call.js';

export type WhichAttempt = Pick<UpstreamCall, 'attempt' | 'isHedge'>;

interface WithAttempt {
  whichAttempt?: WhichAttempt;
}

/** For a request with several records, the highest attempt number among them. */
export function whichAttempt(attempts: readonly Pick<Attempt<unknown>, 'number' | 'isHedge'>[]): WhichAttempt {
  let attempt = 1;
  for (const { number } of attempts) attempt = Math.max(attempt, number);
  return { attempt, isHedge: attempts.some(({ isHedge }) => isHedge) };
}

export function setAttempt(config: AxiosRequestConfig, which: WhichAttempt): AxiosRequestConfig {
  (config as WithAttempt).whichAttempt = which;
  return config;
}

/** A request without a number comes from a user's interceptor and counts as a first attempt. */
export function attemptOf(config: AxiosRequestConfig): WhichAttempt {
  return (config as WithAttempt).whichAttempt ?? { attempt: 1, isHedge: false };
}
