/**
 * A client of a schema registry: schemas by id, and ids by schema. It uses the REST interface of Confluent's Schema
 * Registry, which Karapace, Apicurio and Redpanda have as well.
 *
 * Guarantees: a request is repeated while the registry cannot be reached or is overloaded, at most for `timeoutMs`. A
 * schema is requested once. At most 1,000 schemas are remembered.
 */
import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import {
  anObject,
  checkOptions,
  count,
  describeThrown,
  invalidOption,
  MillraceError,
  text,
  type ConnectorContext,
  type OptionRules,
} from '../../connect/index.js';

/** Options of `schemaRegistry`. */
export interface SchemaRegistryOptions {
  /** The address of the registry, such as 'https://registry:8081'. */
  readonly url: string;
  /** For HTTP basic authentication. */
  readonly username?: string;
  /** For HTTP basic authentication. */
  readonly password?: string;
  /** A bearer token. */
  readonly token?: string;
  /** Options of `tls.connect`, such as `ca`, `cert` and `key`. Default: the certificates that Node trusts. */
  readonly tls?: Readonly<Record<string, unknown>>;
  /** The milliseconds for which a request is repeated while the registry cannot be reached. Default 30,000. */
  readonly timeoutMs?: number;
}

const RULES: OptionRules<SchemaRegistryOptions> = {
  url: text,
  username: text,
  password: text,
  token: text,
  tls: anObject,
  timeoutMs: count(),
};

/** The languages of schemas that the formats of this module know. */
export type SchemaType = 'AVRO' | 'JSON';

/** A schema as the registry keeps it. */
export interface RegisteredSchema {
  readonly type: string;
  /** The text of the schema. */
  readonly schema: string;
  /** Whether it needs other schemas of the registry. */
  readonly hasReferences: boolean;
}

/** A schema to be looked up or registered. */
export interface SubjectSchema {
  readonly subject: string;
  readonly type: SchemaType;
  /** The text of the schema. */
  readonly schema: string;
}

const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';
const REQUEST_TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;
const MOST_SCHEMAS = 1000;
/** The largest answer of a registry that is read. */
const MOST_BYTES = 10_000_000;

/** A schema registry that formats can use; made by `schemaRegistry`. It holds no connection. */
export class SchemaRegistry {
  private readonly options: SchemaRegistryOptions;
  private readonly http: AxiosInstance;
  private readonly schemas = new Map<number, Promise<RegisteredSchema | undefined>>();

  /** Throws MILLRACE_INVALID_OPTION for options that do not fit. */
  constructor(options: SchemaRegistryOptions) {
    checkOptions('schemaRegistry', options, RULES, ['url']);
    const { url, username, password, token, tls } = options;
    checkUrl(url);
    if ((username === undefined) !== (password === undefined)) {
      throw invalidOption('schemaRegistry needs both `username` and `password`, or neither of them');
    }
    if (token !== undefined && username !== undefined) {
      throw invalidOption('schemaRegistry needs `token`, or `username` and `password`, got both. Remove one');
    }
    this.options = options;
    this.http = axios.create({
      adapter: 'http',
      baseURL: url.replace(/\/+$/, ''),
      timeout: REQUEST_TIMEOUT_MS,
      maxContentLength: MOST_BYTES,
      headers: { accept: MEDIA_TYPE, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      ...(username !== undefined && password !== undefined && { auth: { username, password } }),
      ...(tls !== undefined && { httpsAgent: new Agent(tls) }),
      validateStatus: () => true,
    });
  }

  /** The address, for messages. */
  get url(): string {
    return this.options.url;
  }

  /** Masks the credentials in everything that a run writes. */
  hideCredentials(secrets: ConnectorContext['secrets']): void {
    for (const secret of [this.options.password, this.options.token]) if (secret !== undefined) secrets.add(secret);
  }

  /**
   * The schema with this id; undefined if the registry has none. Rejects with MILLRACE_NETWORK if the registry cannot
   * be reached, and with MILLRACE_KAFKA if it refuses the request.
   */
  async schema(id: number, signal: AbortSignal): Promise<RegisteredSchema | undefined> {
    for (;;) {
      try {
        return await this.shared(id, signal);
      } catch (error) {
        // The run that sent the shared request was stopped.
        if (signal.aborted || (error as Error).name !== 'AbortError') throw error;
      }
    }
  }

  private shared(id: number, signal: AbortSignal): Promise<RegisteredSchema | undefined> {
    const known = this.schemas.get(id);
    if (known !== undefined) return known;
    const finding = this.find(id, signal);
    this.schemas.set(id, finding);
    const [oldest] = this.schemas.keys();
    if (this.schemas.size > MOST_SCHEMAS && oldest !== undefined) this.schemas.delete(oldest);
    // Only schemas that were found are remembered.
    const forget = (): boolean => this.schemas.delete(id);
    finding.then((found) => found === undefined && forget(), forget);
    return finding;
  }

  /**
   * The id of a schema under its subject. Without `register` the schema must be there. Rejects with MILLRACE_KAFKA if
   * it is not, or if the registry refuses it because it is not compatible with the earlier ones.
   */
  async idOf(wanted: SubjectSchema, register: boolean, signal: AbortSignal): Promise<number> {
    const { subject, type, schema } = wanted;
    const path = `/subjects/${encodeURIComponent(subject)}${register ? '/versions' : ''}`;
    const body = { schema, ...(type !== 'AVRO' && { schemaType: type }) };
    const { status, data } = await this.request('POST', path, body, signal);
    const id = (data as { readonly id?: unknown } | null)?.id;
    if (status === 200 && typeof id === 'number') return id;
    if (status === 404) {
      throw new MillraceError(
        'MILLRACE_KAFKA',
        `The schema registry at ${this.url} does not have this schema under the subject '${subject}'. Register it, or set \`register: true\``,
      );
    }
    throw this.refused(`the schema of '${subject}'`, status, data);
  }

  private async find(id: number, signal: AbortSignal): Promise<RegisteredSchema | undefined> {
    const { status, data } = await this.request('GET', `/schemas/ids/${id}`, undefined, signal);
    if (status === 404) return undefined;
    const found = data as { readonly schema?: unknown; readonly schemaType?: unknown; readonly references?: unknown };
    if (status !== 200 || typeof found.schema !== 'string') throw this.refused(`schema ${id}`, status, data);
    return {
      type: typeof found.schemaType === 'string' ? found.schemaType : 'AVRO',
      schema: found.schema,
      hasReferences: Array.isArray(found.references) && found.references.length > 0,
    };
  }

  private async request(
    method: 'GET' | 'POST',
    url: string,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<AxiosResponse<unknown>> {
    const { timeoutMs = 30_000 } = this.options;
    const latest = performance.now() + timeoutMs;
    const headers = body === undefined ? {} : { 'content-type': MEDIA_TYPE };
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      signal.throwIfAborted();
      let problem: unknown;
      try {
        const answer = await this.http.request<unknown>({ method, url, data: body, headers, signal });
        if (answer.status < 500 && answer.status !== 429) return answer;
        problem = new Error(`it answers with status ${answer.status}`);
      } catch (error) {
        problem = error;
      }
      signal.throwIfAborted();
      if (performance.now() + pauseMs > latest) {
        throw new MillraceError(
          'MILLRACE_NETWORK',
          `The schema registry at ${this.url} did not answer for ${timeoutMs / 1000} s: ${describeThrown(problem)}. Check its address, and resume the run`,
          { cause: problem },
        );
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private refused(what: string, status: number, data: unknown): MillraceError {
    const reason = (data as { readonly message?: unknown } | null)?.message;
    const answer = typeof reason === 'string' ? `: ${reason.slice(0, 500)}` : '';
    const hint = status === 401 || status === 403 ? '. Check its `username` and `password`, or its `token`' : '';
    return new MillraceError(
      'MILLRACE_KAFKA',
      `The schema registry at ${this.url} refuses the request for ${what} with status ${status}${answer}${hint}`,
    );
  }
}

/**
 * Describes a schema registry for `avro` and `jsonSchema`. It opens no connection. Throws MILLRACE_INVALID_OPTION for
 * options that do not fit.
 *
 * @example schemaRegistry({ url: 'https://registry:8081', username: 'offers', password })
 */
export function schemaRegistry(options: SchemaRegistryOptions): SchemaRegistry {
  return new SchemaRegistry(options);
}

function checkUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw invalidOption(`Expected \`url\` of schemaRegistry to begin with http:// or https://, got '${url}'`);
  }
  if (parsed.username === '' && parsed.password === '') return;
  throw invalidOption('`url` of schemaRegistry has credentials in it. Use `username` and `password`');
}
