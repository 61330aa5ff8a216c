/**
 * The secrets of one run: values that must not appear in any output of the run.
 *
 * Guarantees: a value is masked everywhere in a text: in upper or lower case; percent-encoded, in base64 or
 * hexadecimal; escaped for JSON or HTML; and where a message was cut in the middle of it. Short and ordinary values are
 * not masked, because that would hide ordinary text. Data without a secret is returned as it is, without a copy.
 */
import { maskCredentials } from './mask-secrets.js';
import { secretsIn, secretsInText, secretsUnder } from './find-secrets.js';

const MASK = '***';
/** Shorter values appear in ordinary text by chance. */
const LEAST_LENGTH = 6;
/** The least length of the part of a value that remains in a cut message. */
const LEAST_CUT = 4;
const ELLIPSIS = '...';
const MAX_DEPTH = 50;
/** The least length of a line of a secret with several lines. */
const LEAST_LINE = 12;

/** Common values of environment variables that are not secret. Lower case. */
const ORDINARY = new Set(
  (
    'production development staging testing preview localhost 127.0.0.1 0.0.0.0 default enabled disabled undefined ' +
    'warning password secret token bearer string number object postgres administrator'
  ).split(' '),
);
/** Numbers of a few digits, dates and times. */
const ORDINARY_FORM = /^(?:[\d.,_ -]{1,8}|\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?)$/;

/** The beginnings of secrets that a cut text may contain. */
interface Cuts {
  /** Finds the first characters of a form. */
  readonly pattern: RegExp;
  /** The forms by their first characters, in lower case. */
  readonly forms: ReadonlyMap<string, readonly string[]>;
}

/** The secrets of a run. Connectors add theirs with `scope.secrets.add(…)`. */
export class Secrets {
  private readonly values = new Set<string>();
  private readonly names = new Set<string>();
  /** All forms of all values, longest first; undefined after a value was added. */
  private forms: readonly string[] | undefined = [];
  private pattern: RegExp | undefined;
  private cuts: Cuts | undefined;

  /** @param values the first secrets. */
  constructor(values: Iterable<string> = []) {
    for (const value of values) this.add(value);
  }

  /**
   * Adds a value to mask. Values with fewer than six characters, and ordinary words, numbers and dates, are ignored.
   */
  add(value: string): void {
    const trimmed = value.trim();
    if (trimmed.length < LEAST_LENGTH || this.values.has(trimmed) || isOrdinary(trimmed)) return;
    this.values.add(trimmed);
    this.forms = undefined;
  }

  /** Adds a value of an environment variable. The scheme and the host of a URL are not secret. */
  addVariable(value: string): void {
    this.addText(value);
    const [, origin] = /^\s*([a-z][a-z0-9+.-]{0,30}:\/\/(?:[^\s/?#]*@)?[^\s/?#]*)/i.exec(value) ?? [];
    if (origin !== undefined) {
      const rest = value.trim().slice(origin.length);
      this.add(rest);
      for (const part of rest.split(/[/?#&=]+/)) this.add(part);
      return;
    }
    this.add(value);
    // Programs split a list before they use it, so each item may appear alone.
    for (const part of value.split(/[,;\s]+/)) this.add(part);
  }

  /** Adds the secrets in a configuration: values under secret names, and credentials. */
  addConfig(config: unknown): void {
    for (const value of secretsIn(config)) this.add(value);
  }

  /** Adds the credentials in a text such as a URL. */
  addText(text: string): void {
    for (const value of secretsInText(text)) this.add(value);
  }

  /** Adds the credentials among headers: those with names such as authorization, cookie and x-api-key. */
  addHeaders(headers: unknown): void {
    this.addConfig(headers);
  }

  /** Adds the value of an option or header with this secret name. */
  addUnder(name: string, value: unknown): void {
    for (const one of secretsUnder(name, value)) this.add(one);
  }

  /** Adds names that are never masked, such as those of tasks, because other data refers to them. */
  keep(names: Iterable<string>): void {
    for (const name of names) this.names.add(name);
  }

  /** The text with each secret masked. */
  text(text: string): string {
    if (this.values.size === 0 || this.names.has(text)) return text;
    const pattern = this.compiled();
    const masked = text.replace(pattern, MASK);
    return masked.includes('…') || masked.includes('...') ? this.withoutCuts(masked) : masked;
  }

  /** A message with each secret masked, and also the credentials that it quotes from elsewhere. */
  message(message: string): string {
    return this.text(maskCredentials(message));
  }

  /** A copy of the data in which each secret is masked; the data itself if it holds none. */
  data<T>(data: T): T {
    return this.values.size === 0 ? data : (this.masked(data, 0, new Set()) as T);
  }

  /** The error with a masked message; the error itself if there is nothing to mask. */
  error(error: unknown): unknown {
    if (!(error instanceof Error)) return this.data(error);
    const message = this.message(error.message);
    if (message === error.message && !(error.cause instanceof Error)) return error;
    const { code } = error as { readonly code?: unknown };
    const cause = error.cause instanceof Error ? { cause: this.error(error.cause) } : {};
    return Object.assign(new Error(message, cause), { name: error.name, ...(code === undefined ? {} : { code }) });
  }

  private compiled(): RegExp {
    if (this.forms === undefined || this.pattern === undefined) {
      this.forms = [...new Set([...this.values].flatMap(formsOf))].sort((a, b) => b.length - a.length);
      this.pattern = new RegExp(this.forms.map(escaped).join('|'), 'gi');
      this.cuts = cutsOf(this.forms);
    }
    return this.pattern;
  }

  /** Masks the beginning of a secret before an ellipsis, where the text was cut. Reads the text once. */
  private withoutCuts(text: string): string {
    const starts = this.cuts;
    if (starts === undefined) return text;
    const { pattern, forms } = starts;
    let masked = '';
    let from = 0;
    pattern.lastIndex = 0;
    for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
      const at = found.index;
      let end = 0;
      for (const form of forms.get(found[0].toLowerCase()) ?? []) end = Math.max(end, endOfCut(text, at, form));
      if (end > 0) {
        masked += `${text.slice(from, at)}${MASK}`;
        from = end;
      }
      // Beginnings may overlap.
      pattern.lastIndex = end > 0 ? end : at + 1;
    }
    return from === 0 ? text : masked + text.slice(from);
  }

  private masked(value: unknown, depth: number, above: Set<object>): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value !== 'object' || value === null || depth > MAX_DEPTH || above.has(value)) return value;
    if (value instanceof Date || ArrayBuffer.isView(value)) return value;
    above.add(value);
    const copy = Array.isArray(value) ? this.maskedList(value, depth, above) : this.maskedObject(value, depth, above);
    above.delete(value);
    return copy;
  }

  private maskedList(list: readonly unknown[], depth: number, above: Set<object>): readonly unknown[] {
    let copy: unknown[] | undefined;
    for (let i = 0; i < list.length; i++) {
      const item = this.masked(list[i], depth + 1, above);
      if (item === list[i]) continue;
      copy ??= [...list];
      copy[i] = item;
    }
    return copy ?? list;
  }

  private maskedObject(value: object, depth: number, above: Set<object>): unknown {
    const { toJSON } = value as { readonly toJSON?: unknown };
    if (typeof toJSON === 'function') {
      const shown: unknown = (toJSON as () => unknown).call(value);
      const masked = shown === value ? shown : this.masked(shown, depth + 1, above);
      return masked === shown ? value : masked;
    }
    const entries = Object.entries(value).map(([key, item]: [string, unknown]) => {
      const entry = [this.text(key), this.masked(item, depth + 1, above)] as const;
      return entry;
    });
    return entries.some(([key, item]) => !Object.hasOwn(value, key) || (value as Record<string, unknown>)[key] !== item)
      ? Object.fromEntries(entries)
      : value;
  }
}

function cutsOf(forms: readonly string[]): Cuts {
  const byStart = new Map<string, string[]>();
  for (const form of new Set(forms.map((one) => one.toLowerCase()))) {
    const start = form.slice(0, LEAST_CUT);
    byStart.set(start, [...(byStart.get(start) ?? []), form]);
  }
  return { pattern: new RegExp([...byStart.keys()].map(escaped).join('|'), 'gi'), forms: byStart };
}

/** The end of the beginning of the form that starts at `at`, if an ellipsis follows it; otherwise 0. */
function endOfCut(text: string, at: number, form: string): number {
  let length = LEAST_CUT;
  while (length < form.length && text.charAt(at + length).toLowerCase() === form[length]) length++;
  // The form itself may contain dots that belong to the ellipsis here.
  for (let end = at + length; end >= at + Math.max(LEAST_CUT, length - ELLIPSIS.length); end--) {
    if (text[end] === '…' || text.startsWith(ELLIPSIS, end)) return end;
  }
  return 0;
}

function isOrdinary(value: string): boolean {
  return ORDINARY.has(value.toLowerCase()) || ORDINARY_FORM.test(value);
}

/** The value as it may appear in a text. */
function formsOf(value: string): readonly string[] {
  const plain = new Set([value, decoded(value), ...value.split(/[\r\n]+/).filter((line) => line.length >= LEAST_LINE)]);
  const forms = [...plain].flatMap((text) => [
    text,
    // As `oneLine` shows several lines.
    text.split(/\s*[\r\n]+\s*/).join(' '),
    ...percentForms(text),
    ...jsonForms(text),
    ...htmlForms(text),
    ...base64Forms(text),
    hexOf(text),
  ]);
  return forms.filter((form) => form.length >= LEAST_LENGTH);
}

function percentForms(text: string): readonly string[] {
  // A text with half of a surrogate pair cannot be encoded.
  const whole = text.replace(/\p{Surrogate}/gu, '');
  const strict = encodeURIComponent(whole).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  const once = [encodeURIComponent(whole), encodeURI(whole), strict, strict.replaceAll('%20', '+')];
  return [...once, encodeURIComponent(encodeURIComponent(whole))];
}

function jsonForms(text: string): readonly string[] {
  const inside = (value: string): string => JSON.stringify(value).slice(1, -1);
  const ascii = inside(text).replace(
    /[^\u0020-\u007e]|[<>&']/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return [inside(text), inside(inside(text)), ascii, inside(text).replaceAll("'", "\\'")];
}

function htmlForms(text: string): readonly string[] {
  const base = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const quoted = base.replaceAll('"', '&quot;');
  return [
    base,
    quoted,
    quoted.replaceAll("'", '&#39;'),
    quoted.replaceAll("'", '&#x27;'),
    quoted.replaceAll("'", '&apos;'),
  ];
}

/** The base64 characters that depend only on the value, for each of its three possible alignments. */
function base64Forms(text: string): readonly string[] {
  const bytes = new TextEncoder().encode(text);
  return [0, 1, 2].flatMap((before) => {
    const binary = '\0'.repeat(before) + Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
    const form = btoa(binary).slice(Math.ceil((before * 8) / 6), Math.floor((binary.length * 8) / 6));
    return [form, form.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

function hexOf(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}
