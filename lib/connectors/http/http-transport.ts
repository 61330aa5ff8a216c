/**
 * The HTTP transport of a request task: its axios client, and the headers and limits of its requests.
 *
 * Guarantees: opening it loads axios and undici, but undici not where a stand-in answers. It connects with the first
 * request. `close` closes every connection that it made, but not a client that the user passed in.
 */
import type { AxiosInstance, AxiosRequestConfig } from 'axios';
import { holdClock, type Skip, type TaskScope } from '../../connect/index.js';
import { CREDENTIALS, DEFAULT_MAX_RESPONSE_BYTES } from '../request/http-defaults.js';
import { answerReader, bodyFunction } from '../request/request-body.js';
import { CallIdentity } from '../request/request-identity.js';
import { allowsBody } from '../request/request-method.js';
import type { RequestOptions } from '../request/request-options.js';
import { DEFAULT_HTTP_CONCURRENCY, type Transport, type TransportParts } from '../request/transport.js';
import { HttpCaller, type HttpCallerParts } from './http-caller.js';
import type { TaskAdapter } from './undici-adapter.js';

/** The options that do not depend on the types of the records. */
type Given = Pick<
  RequestOptions<never, unknown>,
  | 'axios'
  | 'batch'
  | 'credentialHeaders'
  | 'headers'
  | 'largeIntegers'
  | 'maxRedirects'
  | 'maxResponseBytes'
  | 'method'
  | 'responseEncoding'
  | 'responseType'
>;

/** Loads axios and creates the client, unless the options contain one. */
export async function openHttpTransport<In, Out>(parts: TransportParts<In, Out>): Promise<Transport<In, Out | Skip>> {
  const { request, upstream, clock } = parts;
  const standIn = upstream === undefined ? undefined : await holdClock(clock, import('./http-stand-in.js'));
  const own = request.axios === undefined ? await ownClient(parts) : undefined;
  const client = request.axios ?? (own as OwnClient).client;
  const { readAnswer } = await holdClock(clock, import('./read-answer.js'));
  const transforms = [client.defaults.transformResponse ?? []].flat();
  const transformResponse = own === undefined ? readAnswer(request, transforms) : transforms;
  const shared = { ...sharedConfig(request), transformResponse };
  return {
    concurrency: DEFAULT_HTTP_CONCURRENCY,
    caller: (scope) => {
      const keyHeader = nameOf(request.idempotencyKey, 'idempotency-key');
      const { task } = scope;
      const adapter = upstream && standIn?.httpStandIn(request, { upstream, task, keyHeader, clock });
      return new HttpCaller<In, Out | Skip>({
        ...callerParts(parts, scope),
        client,
        keyHeader,
        isOwnClient: own !== undefined && adapter === undefined,
        prepare: adapter === undefined ? own?.prepare : undefined,
        shared: adapter === undefined ? shared : { ...shared, adapter },
      });
    },
    close: async () => {
      await own?.close();
    },
  };
}

function callerParts<In, Out>(
  { request, url, isIdempotent }: TransportParts<In, Out>,
  scope: TaskScope,
): Omit<HttpCallerParts<In, Out | Skip>, 'client' | 'keyHeader' | 'isOwnClient' | 'prepare' | 'shared'> {
  const { method = 'POST', correlationId, trace = true, batch } = request;
  return {
    url,
    method,
    ...headersOf(request),
    correlationHeader: nameOf(correlationId, 'x-correlation-id'),
    sendsTrace: trace,
    identity: new CallIdentity(scope),
    isIdempotent,
    isUnixSocket: request.socketPath !== undefined,
    task: scope.task,
    clock: scope.clock,
    bodyOf: bodyFunction(request, scope, method),
    read: answerReader(request, url, scope),
    ...(batch === undefined ? {} : { batch: { errorOf: batch.errorOf } }),
  };
}

function nameOf(given: string | false | undefined, byDefault: string): string | undefined {
  return given === false ? undefined : (given ?? byDefault);
}

/** The part of a config that is the same for every request. */
function sharedConfig({
  responseType = 'json',
  maxResponseBytes,
  maxRedirects = 5,
  responseEncoding,
  ...given
}: Given): AxiosRequestConfig {
  const { axios, credentialHeaders = [] } = given;
  const maxContentLength = maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
  // Without this, a truncated JSON body would pass as text.
  const transitional = { silentJSONParsing: false };
  const shared: AxiosRequestConfig = { responseType, transitional, maxContentLength, maxRedirects };
  // axios declares the encodings of Node only; the adapter accepts every label of TextDecoder.
  if (responseEncoding !== undefined) Object.assign(shared, { responseEncoding });
  // The undici adapter was created with these names. The adapter of axios expects them with each request.
  return axios === undefined ? shared : { ...shared, sensitiveHeaders: [...CREDENTIALS, ...credentialHeaders] };
}

/** The given headers, with the content type separate from the others. */
function headersOf(
  request: Pick<Given, 'headers' | 'method' | 'axios'>,
): Pick<
  HttpCallerParts<never, never>,
  'headers' | 'contentType' | 'isTypeNamed' | 'hasBody' | 'sendsJson' | 'writesJson'
> {
  const rest = Object.entries(request.headers ?? {});
  const index = rest.findIndex(([name]) => name.toLowerCase() === 'content-type');
  const named = index < 0 ? undefined : rest.splice(index, 1)[0]?.[1];
  const headers = Object.fromEntries(rest);
  if (!allowsBody(request.method ?? 'POST')) {
    const contentType: Record<string, string> = named === undefined ? {} : { 'content-type': named };
    return {
      headers,
      contentType,
      isTypeNamed: named !== undefined,
      hasBody: false,
      sendsJson: false,
      writesJson: false,
    };
  }
  const type = named ?? 'application/json';
  const sendsJson = type.includes('json');
  const writesJson = sendsJson && request.axios === undefined;
  const isTypeNamed = named !== undefined;
  return { headers, contentType: { 'content-type': type }, isTypeNamed, hasBody: true, sendsJson, writesJson };
}

interface OwnClient extends Pick<TaskAdapter, 'prepare'> {
  readonly client: AxiosInstance;
  close(): Promise<void>;
}

async function ownClient<In, Out>({
  request,
  policies,
  clock,
  connection,
  upstream,
}: TransportParts<In, Out>): Promise<OwnClient> {
  const { maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES, credentialHeaders = [] } = request;
  const [{ default: axios }, { adapterOver }, { keepWritten }, { readAnswer }] = await holdClock(
    clock,
    Promise.all([import('axios'), import('./undici-adapter.js'), import('./json-body.js'), import('./read-answer.js')]),
  );
  const adapter = adapterOver(
    { connections: policies.concurrency(DEFAULT_HTTP_CONCURRENCY).max, maxResponseBytes, credentialHeaders },
    () => Promise.resolve(connection),
  );
  // Otherwise the first record would wait for it while the run is busy with others.
  if (upstream === undefined) await holdClock(clock, adapter.load());
  const transforms = [axios.defaults.transformRequest ?? []].flat();
  const written = headersOf(request).writesJson ? { transformRequest: keepWritten(transforms) } : {};
  const transformResponse = readAnswer(request, [axios.defaults.transformResponse ?? []].flat());
  const client = axios.create({ ...sharedConfig(request), adapter, transformResponse, ...written });
  return { client, prepare: (direct, template) => adapter.prepare(direct, template), close: () => adapter.close() };
}
