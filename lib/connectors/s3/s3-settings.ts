/**
 * How an object store is reached: the endpoint, the region and the credentials, as given or from the environment.
 *
 * Guarantees: nothing is read or connected to before the first request. Credentials are in no message.
 */
import { MillraceError } from '../../connect/values.js';

/** Keys of an account. */
export interface S3Credentials {
  /** The public part of the keys. */
  readonly accessKeyId: string;
  /** The secret part, which is never sent. */
  readonly secretAccessKey: string;
  /** The token of keys that expire. */
  readonly sessionToken?: string | undefined;
  /** The time at which the keys expire. If they come from a function, it is called again before this time. */
  readonly expiration?: Date | undefined;
}

/** Options of `s3Store`. */
export interface S3Options {
  /**
   * The URL of a server that speaks the protocol of S3, such as `http://127.0.0.1:9000`. Default:
   * `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, or AWS in the region.
   */
  readonly endpoint?: string;
  /** Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, or `us-east-1`. */
  readonly region?: string;
  /**
   * The keys, or a function that returns them, which is called again shortly before they expire. Default:
   * `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
   */
  readonly credentials?: S3Credentials | (() => S3Credentials | Promise<S3Credentials>);
  /** Whether the bucket is in the path of a URL, not in its host. Default: true with an `endpoint`. */
  readonly pathStyle?: boolean;
}

/** The place to which a request is sent. */
export interface S3Place {
  readonly origin: string;
  readonly host: string;
  /** The path of the bucket, without a slash at its end. */
  readonly path: string;
}

/** Credentials are renewed this long before they expire. */
const RENEW_BEFORE_MS = 5 * 60_000;

export class S3Settings {
  readonly region: string;
  private readonly endpoint: URL | undefined;
  private readonly pathStyle: boolean;
  private readonly given: S3Options['credentials'];
  private current: S3Credentials | undefined;

  constructor(options: S3Options, env: Readonly<Record<string, string | undefined>>) {
    const endpoint = options.endpoint ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'];
    this.region = options.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1';
    this.endpoint = endpoint === undefined ? undefined : urlOf(endpoint);
    this.pathStyle = options.pathStyle ?? this.endpoint !== undefined;
    this.given = options.credentials ?? fromEnvironment(env);
  }

  placeOf(bucket: string): S3Place {
    const { endpoint, region } = this;
    const base = endpoint ?? new URL(`https://s3.${region}.amazonaws.com`);
    const path = base.pathname.replace(/\/+$/, '');
    // A certificate for `*.s3…` does not cover a name with dots.
    const isInPath = this.pathStyle || bucket.includes('.');
    if (isInPath) return { origin: base.origin, host: base.host, path: `${path}/${bucket}` };
    return { origin: `${base.protocol}//${bucket}.${base.host}`, host: `${bucket}.${base.host}`, path };
  }

  /** Throws MILLRACE_INVALID_OPTION if there are none. */
  async credentials(nowMs: number): Promise<S3Credentials> {
    const { given, current } = this;
    if (given === undefined) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        'There are no credentials for s3:// paths: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or pass a store ' +
          'with `credentials`: { store: s3Store({ credentials }) }',
      );
    }
    if (typeof given !== 'function') return given;
    const isValid = current !== undefined && (current.expiration?.getTime() ?? Infinity) - nowMs > RENEW_BEFORE_MS;
    return isValid ? current : (this.current = await given());
  }
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): S3Credentials | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: env['AWS_SESSION_TOKEN'] };
}

function urlOf(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected the endpoint of an object store to be a URL such as 'https://s3.example.com', got '${endpoint}'`,
  );
}
