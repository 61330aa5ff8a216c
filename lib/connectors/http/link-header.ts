/** Reads Link headers (RFC 8288). */

const LINK = /<([^<>]*)>((?:\s*;\s*[^\s;,="<>]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"<>]+))?)*)/g;
const PARAMETER = /;\s*([^\s;,="<>]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"<>]+)))?/g;

/** The target of the first link with this relation, as it was sent; undefined if there is none. */
export function linkTo(relation: string, header: unknown): string | undefined {
  const text = Array.isArray(header) ? header.join(', ') : header;
  if (typeof text !== 'string') return undefined;
  for (const [, target, parameters = ''] of text.matchAll(LINK)) {
    if (relationsIn(parameters).includes(relation)) return target;
  }
  return undefined;
}

/** The relations that the first `rel` names; other parameters do not count. */
function relationsIn(parameters: string): readonly string[] {
  for (const [, name, quoted, plain] of parameters.matchAll(PARAMETER)) {
    if (name?.toLowerCase() === 'rel') return (quoted ?? plain ?? '').toLowerCase().split(/\s+/);
  }
  return [];
}
