/** A schema registry for tests: the part of the REST interface that formats use, in memory, on a free port. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Kept {
  readonly schema: string;
  readonly schemaType: string;
  readonly references?: readonly object[];
}

export interface RegistryStub {
  readonly url: string;
  /** The requests in their order, such as `GET /schemas/ids/1`. */
  readonly requests: readonly string[];
  /** Adds a schema under a subject, and returns its id. */
  add(subject: string, schema: object | string, more?: Partial<Kept>): number;
  /** Answers the next requests with this status. */
  fail(status: number, times: number): void;
  close(): Promise<void>;
}

export interface RegistryStubOptions {
  /** The `authorization` that each request must have. */
  readonly authorization?: string;
  /** Refuses every new schema, as one that is not compatible. */
  readonly isFrozen?: boolean;
}

export async function registryStub({
  authorization,
  isFrozen = false,
}: RegistryStubOptions = {}): Promise<RegistryStub> {
  const schemas: Kept[] = [];
  const subjects = new Map<string, Set<number>>();
  const requests: string[] = [];
  const failures: number[] = [];

  const add = (subject: string, kept: Kept): number => {
    const at = schemas.findIndex((one) => one.schema === kept.schema && one.schemaType === kept.schemaType);
    const id = at === -1 ? schemas.push(kept) : at + 1;
    const own = subjects.get(subject) ?? new Set<number>();
    subjects.set(subject, own.add(id));
    return id;
  };

  const answer = (request: IncomingMessage, text: string): readonly [number, object] => {
    const failure = failures.shift();
    if (failure !== undefined) return [failure, { error_code: failure, message: 'not now' }];
    if (authorization !== undefined && request.headers.authorization !== authorization) {
      return [401, { error_code: 401, message: 'Unauthorized' }];
    }
    const byId = /^\/schemas\/ids\/(\d+)$/.exec(request.url ?? '');
    if (byId !== null) {
      const found = schemas[Number(byId[1]) - 1];
      // Without a type it is Avro, as in the real one.
      if (found === undefined) return [404, { error_code: 40403, message: 'Schema not found' }];
      const { schemaType, ...rest } = found;
      return [200, schemaType === 'AVRO' ? rest : found];
    }
    const bySubject = /^\/subjects\/([^/]+)(\/versions)?$/.exec(request.url ?? '');
    if (bySubject === null || request.method !== 'POST') return [405, { error_code: 405, message: 'Not allowed' }];
    const subject = decodeURIComponent(bySubject[1] as string);
    const { schema, schemaType = 'AVRO' } = JSON.parse(text) as { schema: string; schemaType?: string };
    const known = [...(subjects.get(subject) ?? [])].find((id) => schemas[id - 1]?.schema === schema);
    if (known !== undefined) return [200, { id: known }];
    if (bySubject[2] === undefined) return [404, { error_code: 40403, message: 'Schema not found' }];
    if (isFrozen) return [409, { error_code: 409, message: 'Schema being registered is incompatible' }];
    return [200, { id: add(subject, { schema, schemaType }) }];
  };

  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
      const [status, body] = answer(request, text);
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
      response.end(JSON.stringify(body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    add: (subject, schema, more = {}) =>
      add(subject, {
        schema: typeof schema === 'string' ? schema : JSON.stringify(schema),
        schemaType: 'AVRO',
        ...more,
      }),
    fail: (status, times) => {
      failures.push(...new Array<number>(times).fill(status));
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
