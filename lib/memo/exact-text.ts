/**
 * Exact texts of values: a value that is read back has the same types, numbers and order of properties.
 *
 * A text is JSON. Values that JSON cannot represent are arrays that begin with their kind: `["Date",0]`,
 * `["number","-0"]`; an array is `["",…]`. Two values have the same text only if no function can distinguish them,
 * except by identity.
 *
 * Guarantees: a value that would be read back as something else (an instance of a class, a function, an accessor, a
 * cycle) has no text. The size of a text is bounded.
 */
import { types } from 'node:util';

/** The most characters of a text. A larger value is not remembered. */
const MOST_CHARS = 16 * 1024 * 1024;
const MOST_DEPTH = 200;
/** The most values inside one value. An object that occurs several times is written and counted each time. */
const MOST_VALUES = 500_000;

const BYTES: Readonly<Record<string, new (bytes: ArrayBuffer) => ArrayBufferView>> = {
  ...{ Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array },
  ...{ Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView },
};

/** Thrown for a value without an exact text. It never leaves this file. */
class NoText extends Error {}

/** The text of the value; undefined if it has none, also if the value throws when it is read, as a proxy may. */
export function exactText(value: unknown): string | undefined {
  try {
    return new Writer().write(value);
  } catch {
    return undefined;
  }
}

/** The value of a text. Throws for a text that `exactText` did not write. */
export function exactValue(text: string): unknown {
  return read(JSON.parse(text));
}

class Writer {
  private values = 0;
  /** The characters of texts and bytes until now. They are counted first, because V8 throws for a text of 2^29. */
  private chars = 0;

  write(value: unknown, depth = 0): string {
    if (++this.values > MOST_VALUES) throw new NoText();
    const text = this.textOf(value, depth);
    if (text.length > MOST_CHARS) throw new NoText();
    return text;
  }

  private count(chars: number): void {
    this.chars += chars;
    if (this.chars > MOST_CHARS) throw new NoText();
  }

  private textOf(value: unknown, depth: number): string {
    switch (typeof value) {
      case 'string':
        this.count(value.length);
        return JSON.stringify(value);
      case 'boolean':
        return String(value);
      case 'number':
        return Number.isFinite(value) && !Object.is(value, -0) ? String(value) : `["number","${nameOf(value)}"]`;
      case 'undefined':
        return '["undefined"]';
      case 'bigint':
        return `["bigint","${value}"]`;
      case 'object':
        if (depth > MOST_DEPTH) throw new NoText();
        return value === null ? 'null' : this.objectText(value, depth + 1);
      default:
        throw new NoText();
    }
  }

  private objectText(value: object, depth: number): string {
    const name = classOf(value);
    if (Array.isArray(value)) {
      if (name !== 'Array') throw new NoText();
      return this.arrayText(value, depth);
    }
    if (name === 'Object') return `{${this.members(value, depth).join(',')}}`;
    if (name === '') return `["null object",{${this.members(value, depth).join(',')}}]`;
    if (types.isDate(value) && name === 'Date') return this.withoutMembers(value, `["Date",${timeOf(value)}]`);
    if (types.isMap(value) && name === 'Map') {
      const entries = [...value].flatMap((entry) => entry.map((part) => this.write(part, depth)));
      return this.withoutMembers(value, `["Map",[${entries.join(',')}]]`);
    }
    if (types.isSet(value) && name === 'Set') {
      return this.withoutMembers(value, `["Set",[${[...value].map((one) => this.write(one, depth)).join(',')}]]`);
    }
    if (types.isArrayBuffer(value) && name === 'ArrayBuffer') {
      this.count(value.byteLength);
      return this.withoutMembers(value, bytesText(name, Buffer.from(value)));
    }
    if (ArrayBuffer.isView(value) && (name === 'Buffer' || Object.hasOwn(BYTES, name))) {
      if (types.isSharedArrayBuffer(value.buffer)) throw new NoText();
      this.count(value.byteLength);
      return bytesText(name, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    }
    throw new NoText();
  }

  private arrayText(value: readonly unknown[], depth: number): string {
    const items: string[] = ['""'];
    let holes = 0;
    for (let index = 0; index < value.length; index++) {
      const member = Object.getOwnPropertyDescriptor(value, index);
      if (items.length > MOST_VALUES) throw new NoText();
      if (member === undefined) {
        holes++;
        items.push('["hole"]');
      } else if (!('value' in member) || member.enumerable !== true) throw new NoText();
      else items.push(this.write(member.value, depth));
    }
    // An array with named members is refused, because they would be lost. `length` is the only other key.
    if (Reflect.ownKeys(value).length - 1 !== value.length - holes) throw new NoText();
    return `[${items.join(',')}]`;
  }

  private members(value: object, depth: number): string[] {
    return Reflect.ownKeys(value).map((key) => {
      const member = Object.getOwnPropertyDescriptor(value, key);
      if (typeof key !== 'string' || member?.enumerable !== true || !('value' in member)) throw new NoText();
      this.count(key.length);
      return `${JSON.stringify(key)}:${this.write(member.value, depth)}`;
    });
  }

  private withoutMembers(value: object, text: string): string {
    if (Reflect.ownKeys(value).length > 0) throw new NoText();
    return text;
  }
}

/**
 * The name of the object's own class; '' for an object without a prototype. Classes are compared by name, because a
 * value may come from another realm. Throws NoText for a class that is not built in.
 */
function classOf(value: object): string {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype) return 'Object';
  if (prototype === Array.prototype) return 'Array';
  if (prototype === null) return '';
  const constructor = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown;
  if (typeof constructor !== 'function' || constructor.prototype !== prototype) throw new NoText();
  // A class of the user may have the same name as a built-in class.
  if (constructor === Buffer) return 'Buffer';
  if (!/\[native code\]\s*\}$/.test(Function.prototype.toString.call(constructor))) throw new NoText();
  return constructor.name;
}

function nameOf(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function timeOf(value: Date): string {
  const time = value.getTime();
  return Number.isNaN(time) ? 'null' : String(time);
}

function bytesText(name: string, bytes: Buffer): string {
  return `["${name}","${bytes.toString('base64')}"]`;
}

type Part = string | number | boolean | null | Part[] | { readonly [key: string]: Part };

function read(found: unknown): unknown {
  const part = found as Part;
  if (typeof part !== 'object' || part === null) return part;
  if (!Array.isArray(part)) return readMembers(part, {});
  const [kind, content] = part;
  switch (kind) {
    case '':
      return readItems(part);
    case 'number':
      return Number(content);
    case 'undefined':
      return undefined;
    case 'bigint':
      return BigInt(content as string);
    case 'null object':
      return readMembers(content as Record<string, Part>, Object.create(null) as object);
    case 'Date':
      return new Date(content === null ? NaN : (content as number));
    case 'Map': {
      const entries = (content as Part[]).map(read);
      return new Map(Array.from({ length: entries.length / 2 }, (_, at) => [entries[2 * at], entries[2 * at + 1]]));
    }
    case 'Set':
      return new Set((content as Part[]).map(read));
    default:
      return readBytes(kind as string, content as string);
  }
}

function readItems(part: readonly Part[]): unknown[] {
  const items = new Array<unknown>(part.length - 1);
  for (let index = 1; index < part.length; index++) {
    const item = part[index] as Part;
    if (!(Array.isArray(item) && item[0] === 'hole')) items[index - 1] = read(item);
  }
  return items;
}

/** Defines the members one by one, so that a member called `__proto__` becomes a member as well. */
function readMembers(part: Readonly<Record<string, Part>>, into: object): object {
  for (const [key, value] of Object.entries(part)) {
    Object.defineProperty(into, key, { value: read(value), enumerable: true, writable: true, configurable: true });
  }
  return into;
}

function readBytes(kind: string, base64: string): unknown {
  const bytes = Buffer.from(base64, 'base64');
  if (kind === 'Buffer') return bytes;
  const own = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  if (kind === 'ArrayBuffer') return own;
  const View = Object.hasOwn(BYTES, kind) ? BYTES[kind] : undefined;
  if (View === undefined) throw new TypeError(`There is no value of the kind '${kind}'`);
  return new View(own);
}
