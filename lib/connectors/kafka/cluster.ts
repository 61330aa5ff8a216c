/** How a Kafka cluster is reached: plain options, from which sources and sinks open connections of their own. */
import {
  anObject,
  checkOptions,
  count,
  either,
  flag,
  MillraceError,
  oneOf,
  text,
  callback,
  describeValue,
  type ConnectorContext,
  type OptionRules,
} from '../../connect/index.js';

/** Credentials for a cluster that requires them. */
export interface KafkaSaslOptions {
  /** The mechanism of SASL that the brokers expect. */
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'oauthbearer';
  /** For all mechanisms but 'oauthbearer'. */
  readonly username?: string;
  /** For all mechanisms but 'oauthbearer'. */
  readonly password?: string;
  /** For 'oauthbearer': the token, or a function that returns a fresh one for each connection. */
  readonly token?: string | (() => string | Promise<string>);
}

/** Options of `kafka`. */
export interface KafkaOptions {
  /** Some brokers of the cluster, as `host:port`; the others are found through them. */
  readonly brokers: readonly string[];
  /** The name of this program in the logs of the brokers. Default 'millrace'. */
  readonly clientId?: string;
  /** True for TLS with the certificates that Node trusts, or options of `tls.connect`. Default: no TLS. */
  readonly tls?: boolean | Readonly<Record<string, unknown>>;
  /** Default: no authentication. */
  readonly sasl?: KafkaSaslOptions;
  /**
   * The milliseconds for which a request is repeated while brokers cannot be reached, elect a leader or load their
   * state; then the run fails, and can be resumed. Default 30,000.
   */
  readonly timeoutMs?: number;
}

const RULES: OptionRules<KafkaOptions> = {
  brokers: {
    expected: 'a list of `host:port`',
    accepts: (value) =>
      Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string' && BROKER.test(one)),
  },
  clientId: text,
  tls: either(flag, anObject),
  sasl: anObject,
  timeoutMs: count(),
};
const SASL_RULES: OptionRules<KafkaSaslOptions> = {
  mechanism: oneOf('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'),
  username: text,
  password: text,
  token: either(text, callback),
};
const BROKER = /^.+:\d+$/;

/** A cluster that sources and sinks can use; made by `kafka`. It holds no connection. */
export class KafkaCluster {
  /** The options, with their defaults. */
  readonly options: KafkaOptions & Required<Pick<KafkaOptions, 'clientId' | 'timeoutMs'>>;

  /** Throws MILLRACE_INVALID_OPTION for options that do not fit. */
  constructor(options: KafkaOptions) {
    checkOptions('kafka', options, RULES, ['brokers']);
    if (options.sasl !== undefined) checkSasl(options.sasl);
    this.options = { ...options, clientId: options.clientId ?? 'millrace', timeoutMs: options.timeoutMs ?? 30_000 };
  }

  /** Masks the credentials of the connection in all outputs of a run. */
  hideCredentials(secrets: ConnectorContext['secrets']): void {
    const { password, token } = this.options.sasl ?? {};
    for (const secret of [password, token]) if (typeof secret === 'string') secrets.add(secret);
  }

  /** The brokers, as the namespace of a dataset. */
  get namespace(): string {
    return `kafka://${this.options.brokers[0] as string}`;
  }
}

/**
 * Describes a Kafka cluster for `kafkaSource` and `kafkaSink`. It opens no connection. Throws MILLRACE_INVALID_OPTION
 * for options that do not fit.
 *
 * @example kafka({ brokers: ['kafka-1:9092', 'kafka-2:9092'] })
 */
export function kafka(options: KafkaOptions): KafkaCluster {
  return new KafkaCluster(options);
}

function checkSasl(sasl: KafkaSaslOptions): void {
  checkOptions('`sasl` of kafka', sasl, SASL_RULES, ['mechanism']);
  const needed = sasl.mechanism === 'oauthbearer' ? (['token'] as const) : (['username', 'password'] as const);
  for (const name of needed) {
    if (sasl[name] !== undefined) continue;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`sasl\` of kafka to have \`${name}\` for the mechanism '${sasl.mechanism}', got ${describeValue(undefined)}`,
    );
  }
}
