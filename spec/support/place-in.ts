import type { JobPlace } from '#lib/jobs/place.js';

/** A place in this folder, which is not the current one, with the Node.js of the spec. */
export function placeIn(folder: string, environment: JobPlace['environment'] = {}): JobPlace {
  return { folder, environment, node: { path: process.execPath, version: process.versions.node } };
}
