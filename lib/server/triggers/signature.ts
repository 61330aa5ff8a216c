/**
 * The signature of a webhook, by the scheme of Standard Webhooks: HMAC-SHA256 over `<id>.<timestamp>.<body>`.
 *
 * Guarantees: the duration of a comparison reveals nothing about the secret; a message is accepted for five minutes, so
 * a recorded message cannot be sent later; the id is signed, so it can serve as an idempotency key.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** The headers of a message. */
export type SignedHeaders = Readonly<Record<string, unknown>>;

const TOLERANCE_MS = 5 * 60_000;
/** A sender that changes its secret signs with both. */
const MOST_SIGNATURES = 8;

/** The id of the message; undefined if its signature or its time is wrong. */

export function signedId(headers: SignedHeaders, body: Buffer, secret: string, now: number): string | undefined {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signatures = headers['webhook-signature'];
  if (typeof id !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(id)) return undefined;
  if (typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp)) return undefined;
  if (typeof signatures !== 'string') return undefined;
  const expected = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`).update(body).digest();
  let isRight = false;
  for (const one of signatures.split(' ', MOST_SIGNATURES)) {
    const given = Buffer.from(/^v1,([A-Za-z0-9+/]{43}=)$/.exec(one)?.[1] ?? '', 'base64');
    if (given.length === expected.length && timingSafeEqual(given, expected)) isRight = true;
  }
  return isRight && Math.abs(now - Number(timestamp) * 1000) <= TOLERANCE_MS ? id : undefined;
}

/** `whsec_` is followed by the bytes of the key in base64; any other secret is its own key. */
export function keyOf(secret: string): Buffer {
  return secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret, 'utf8');
}
