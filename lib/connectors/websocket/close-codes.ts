/** The meaning of the codes of a closing handshake (RFC 6455, 7.4, and the registry of IANA). */

/**
 * Codes that refuse the caller: policy (1008), unauthorized and forbidden (3000, 3003), and the HTTP statuses 401 and
 * 403 in the range for applications.
 */
export const REFUSALS: ReadonlySet<number> = new Set([1008, 3000, 3003, 4401, 4403]);

/**
 * Codes with which an upstream closes because of what it received: protocol error, data of a wrong kind, an invalid
 * payload, policy, a message too big, and the refusals.
 */
export const REJECTIONS: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009, ...REFUSALS]);

/** The connection ended without a closing handshake. */
export const NO_CLOSE_FRAME = 1006;
