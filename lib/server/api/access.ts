/**
 * Tokens, and the one-time codes that pages exchange for one.
 *
 * Guarantees: the store has only hashes; a code works once and for ten minutes; wrong codes are answered at most ten
 * times per minute. Tokens are found by their SHA-256, so the duration of a comparison reveals nothing about them.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Role, ServerStore, StoredToken } from '../store/server-store.js';

const CODE_MS = 10 * 60_000;
const MINUTE_MS = 60_000;
const MOST_WRONG_CODES = 10;
const DAY_MS = 86_400_000;

export class Access {
  private readonly store: ServerStore;
  private readonly now: () => number;
  /** The moment at which each code expires, by its hash. */
  private readonly codes = new Map<string, number>();
  private wrongCodes: number[] = [];

  constructor(store: ServerStore, now: () => number) {
    this.store = store;
    this.now = now;
  }

  /** A new code. */
  newCode(): string {
    const code = secret();
    this.codes.set(hashOf(code), this.now() + CODE_MS);
    return code;
  }

  /**
   * A new token of role admin for a code; 'wrong' for a code that is unknown, used or expired; 'later' after too many
   * of them.
   */
  async exchange(code: string): Promise<{ readonly token: string; readonly expiresAt: number } | 'wrong' | 'later'> {
    const now = this.now();
    this.wrongCodes = this.wrongCodes.filter((at) => at > now - MINUTE_MS);
    if (this.wrongCodes.length >= MOST_WRONG_CODES) return 'later';
    const hash = hashOf(code);
    const expiry = this.codes.get(hash);
    this.codes.delete(hash);
    if (expiry === undefined || expiry < now) {
      this.wrongCodes.push(now);
      return 'wrong';
    }
    return { token: await this.newToken('page', 'admin', 30), expiresAt: now + 30 * DAY_MS };
  }

  /** @param days until it expires; null for never. */
  async newToken(name: string, role: Role, days: number | null): Promise<string> {
    const token = `mr_${secret()}`;
    await this.addToken(token, name, role, days);
    return token;
  }

  /** Adds a token that exists already, unless it is known. */
  async ensureToken(token: string, name: string, role: Role): Promise<void> {
    const known = await this.store.tokens();
    if (!known.some(({ hash }) => hash === hashOf(token))) await this.addToken(token, name, role, null);
  }

  /** The token of a header `Authorization: Bearer …`; undefined if it is unknown or expired. */
  async tokenOf(header: string | undefined): Promise<StoredToken | undefined> {
    const [, given] = /^Bearer ([\w-]{1,200})$/.exec(header ?? '') ?? [];
    if (given === undefined) return undefined;
    const hash = hashOf(given);
    const found = (await this.store.tokens()).find((token) => token.hash === hash);
    return found !== undefined && (found.expiresAt ?? Infinity) > this.now() ? found : undefined;
  }

  private async addToken(token: string, name: string, role: Role, days: number | null): Promise<void> {
    const createdAt = this.now();
    const expiresAt = days === null ? null : createdAt + days * DAY_MS;
    await this.store.addToken({
      id: randomBytes(6).toString('hex'),
      name,
      role,
      hash: hashOf(token),
      createdAt,
      expiresAt,
    });
  }
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
