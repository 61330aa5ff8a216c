/** A broker that expels a silent worker after six seconds instead of 45, so that specs need not wait. */
import type { BrokerOptions } from '../kafka/broker.js';

export const SHORT_SESSIONS: BrokerOptions = {
  properties: [
    'group.consumer.min.session.timeout.ms=3000',
    'group.consumer.session.timeout.ms=6000',
    'group.consumer.min.heartbeat.interval.ms=200',
    'group.consumer.heartbeat.interval.ms=600',
  ],
};
