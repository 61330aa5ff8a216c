/** The API of this server, from its OpenAPI document. */
import type { JSX } from 'preact';
import { save } from '../api.js';
import { useData } from '../parts/data.js';
import { Loading } from '../parts/state.js';

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: unknown;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: unknown }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: unknown }>> }>
  >;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export function ApiReference(): JSX.Element {
  const { data, error } = useData<Document>('/openapi.json', 'once');
  if (data === undefined) return <Loading error={error} />;
  const operations = Object.entries(data.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  return (
    <>
      <h1>API</h1>
      <p>
        Requests need the header <code>Authorization: Bearer …</code> with a token, which{' '}
        <a href="#/settings">Settings</a> makes. Programs in TypeScript can use <code>millrace/client</code>.
      </p>
      <p>
        <button type="button" onClick={() => void save('/openapi.json', 'openapi.json')}>
          Save as OpenAPI 3.1
        </button>
      </p>
      {operations.map(({ path, method, operation }) => (
        <details key={`${method} ${path}`} class="card operation">
          <summary>
            <code>
              <strong>{method}</strong> {path}
            </code>{' '}
            {operation.summary}
          </summary>
          <p class="quiet">{operation.description}</p>
          {(operation.parameters ?? []).length > 0 && (
            <ul>
              {operation.parameters?.map(({ name, in: where, required, schema }) => (
                <li key={`${where} ${name}`}>
                  <code>{name}</code> in the {where}
                  {required === true ? '' : ', optional'}: <code>{JSON.stringify(schema ?? {})}</code>
                </li>
              ))}
            </ul>
          )}
          {operation.requestBody !== undefined && <Shape title="Body" content={operation.requestBody.content} />}
          {operation.responses['200']?.content !== undefined && (
            <Shape title="Answer" content={operation.responses['200'].content} />
          )}
        </details>
      ))}
    </>
  );
}

interface ShapeProps {
  readonly title: string;
  readonly content: Readonly<Record<string, { readonly schema: unknown }>>;
}

function Shape({ title, content }: ShapeProps): JSX.Element {
  return (
    <>
      <h3>{title}</h3>
      {Object.entries(content).map(([type, { schema }]) => (
        <pre key={type} tabIndex={0} aria-label={`${title} as ${type}`}>
          {JSON.stringify(schema, null, 2)}
        </pre>
      ))}
    </>
  );
}
