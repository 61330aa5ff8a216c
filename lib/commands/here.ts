/** The place of commands: the current folder, the environment and the Node.js of this process. */
import type { JobPlace } from '../jobs/place.js';
import type { Secrets } from '../text/secrets.js';

/** Makes the place. Configurations that are loaded in it add their secrets to those of the command. */
export function here(context?: { readonly secrets: Secrets }): JobPlace {
  const secrets = context === undefined ? {} : { secrets: context.secrets };
  return {
    folder: process.cwd(),
    isCurrentFolder: true,
    environment: process.env,
    node: { path: process.execPath, version: process.versions.node },
    ...secrets,
  };
}
