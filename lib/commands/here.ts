/** The place of commands: the current folder and the environment of this process. */
import type { JobPlace } from '../jobs/place.js';

export function here(): JobPlace {
  return { folder: process.cwd(), isCurrentFolder: true, environment: process.env };
}
