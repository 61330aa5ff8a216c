/**
 * Everything that can be measured in a child process: one entry per file of peers/, loaded only by the child that runs
 * it, so that no side pays for the modules, the heap or the type feedback of another.
 */

/** Does the work on `records` records and gives a checksum of what came out. */
export type SideRun = (records: number) => Promise<number>;

interface SideModule {
  readonly run: SideRun;
}

export const SIDES = {
  'millrace-offer': () => import('./peers/millrace-offer.js'),
  'rxjs-offer': () => import('./peers/rxjs-offer.js'),
  'effect-offer': () => import('./peers/effect-offer.js'),
  'loops-offer': () => import('./peers/loops-offer.js'),
  'millrace-chain': () => import('./peers/millrace-chain.js'),
  'rxjs-chain': () => import('./peers/rxjs-chain.js'),
} as const satisfies Record<string, () => Promise<SideModule>>;

export type SideName = keyof typeof SIDES;

export function isSideName(name: string): name is SideName {
  return Object.hasOwn(SIDES, name);
}
