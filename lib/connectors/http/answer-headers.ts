/**
 * The headers of an answer. A request that succeeds needs three of them, so they are read where they are asked for: an
 * object of all of them costs as much as the rest of an answer.
 */
import type { IncomingHttpHeaders } from 'node:http';

export interface AnswerHeaders {
  /** The value of the header with this name in lower case. Values of a repeated header are joined by commas. */
  get(name: string): string | undefined;
  /** All of them, by names in lower case. A repeated header has an array. */
  all(): IncomingHttpHeaders;
}

/** Names and values in turn, as bytes in Latin-1. */
export class RawHeaders implements AnswerHeaders {
  private readonly raw: readonly Buffer[];

  constructor(raw: readonly Buffer[]) {
    this.raw = raw;
  }

  get(name: string): string | undefined {
    const { raw } = this;
    let found: string | undefined;
    for (let i = 0; i < raw.length; i += 2) {
      const given = raw[i] as Buffer;
      if (given.length !== name.length || given.toString('latin1').toLowerCase() !== name) continue;
      const value = (raw[i + 1] as Buffer).toString('latin1');
      found = found === undefined ? value : `${found}, ${value}`;
    }
    return found;
  }

  all(): IncomingHttpHeaders {
    const { raw } = this;
    const values = new Map<string, string | string[]>();
    for (let i = 0; i < raw.length; i += 2) {
      const name = (raw[i] as Buffer).toString('latin1').toLowerCase();
      const value = (raw[i + 1] as Buffer).toString('latin1');
      const known = values.get(name);
      values.set(name, known === undefined ? value : [known, value].flat());
    }
    return Object.fromEntries(values);
  }
}

/** Headers that are an object already. */
export class GivenHeaders implements AnswerHeaders {
  private readonly given: IncomingHttpHeaders;

  constructor(given: IncomingHttpHeaders) {
    this.given = given;
  }

  get(name: string): string | undefined {
    return this.given[name]?.toString();
  }

  all(): IncomingHttpHeaders {
    return this.given;
  }
}
