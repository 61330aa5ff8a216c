/** The roles of users of a server. Each includes those before it. */
import type { Role } from '../store/server-store.js';

const ORDER: readonly Role[] = ['viewer', 'operator', 'admin'];

/** The least role that a route needs; 'public' needs no token. */
export type RouteRole = Role | 'public';

export function mayUse(role: Role, needed: RouteRole): boolean {
  return needed === 'public' || ORDER.indexOf(role) >= ORDER.indexOf(needed);
}
