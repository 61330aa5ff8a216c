/** Masking by value: in every encoding that a message may hold, and never in ordinary text. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { secretsIn } from '#lib/text/find-secrets.js';
import { oneLine } from '#lib/text/printable.js';
import { Secrets } from '#lib/text/secrets.js';

/** The time of a call, in milliseconds. */
function timeOf(call: () => unknown): number {
  const from = performance.now();
  call();
  return performance.now() - from;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a secret', () => {
  it.each([
    ['as it is', (s: string) => s],
    ['in upper case, as a host', (s: string) => s.toUpperCase()],
    ['percent-encoded', encodeURIComponent],
    ['percent-encoded twice', (s: string) => encodeURIComponent(encodeURIComponent(s))],
    ['percent-encoded in lower case', (s: string) => encodeURIComponent(s).replace(/%../g, (x) => x.toLowerCase())],
    ['as a form', (s: string) => new URLSearchParams({ s }).toString().slice(2)],
    ['in base64', base64],
    ['in base64 after a user', (s: string) => base64(`user:${s}`)],
    ['in base64 within more', (s: string) => base64(`ab${s}cd`)],
    ['in base64url', (s: string) => Buffer.from(`me:${s}`).toString('base64url')],
    ['as hexadecimal', (s: string) => Buffer.from(s).toString('hex')],
    ['escaped for JSON', (s: string) => JSON.stringify(s).slice(1, -1)],
    ['escaped for JSON twice', (s: string) => JSON.stringify(JSON.stringify(s)).slice(3, -3)],
    [
      'escaped for HTML',
      (s: string) =>
        s.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
    ],
    ['cut', (s: string) => `${s.slice(0, 8)}…`],
  ])('is masked %s', (_, encode) => {
    for (const secret of ['hunter2-hunter2', 's3cr&t"<ü>/+=?#% x']) {
      const secrets = new Secrets([secret]);
      const masked = secrets.text(`before ${encode(secret)} after`);
      expect(masked).toMatch(/^before .{0,8}\*\*\*.{0,8} after$/);
    }
  });

  it('is masked in data of any shape, and data without it is not copied', () => {
    const secrets = new Secrets(['hunter2-hunter2']);
    const clean = { a: [1, 'text', { b: null }], at: new Date(0) };
    expect(secrets.data(clean)).toBe(clean);
    const holding = { list: ['hunter2-hunter2'], 'hunter2-hunter2': 1, url: new URL('http://h/hunter2-hunter2'), n: 5 };
    expect(secrets.data(holding)).toEqual({ list: ['***'], '***': 1, url: 'http://h/***', n: 5 });
    const circle: Record<string, unknown> = { secret: 'hunter2-hunter2' };
    circle['self'] = circle;
    expect(secrets.data(circle)).toMatchObject({ secret: '***' });
  });

  it('is masked in each line, if it has several', () => {
    const key = '-----BEGIN KEY-----\nMIIEvgIBADANBgkqh\nkiG9w0BAQEFAASC\n-----END KEY-----';
    const secrets = new Secrets([key]);
    expect(secrets.text(key.replaceAll('\n', ' '))).toBe('***');
    expect(secrets.text('line 2 is kiG9w0BAQEFAASC')).toBe('line 2 is ***');
  });

  it.each(['1', 'true', 'dev', 'production', 'localhost', '8080', '2024-05-01', '12345678'])(
    'is nothing that ordinary text holds: %s',
    (value) => {
      const secrets = new Secrets();
      secrets.addVariable(value);
      expect(secrets.text(`the value ${value} is shown`)).toBe(`the value ${value} is shown`);
    },
  );

  it('is no name of a task, because other data refers to it', () => {
    const secrets = new Secrets(['Predictions']);
    secrets.keep(['Predictions']);
    expect(secrets.data({ task: 'Predictions', message: 'of Predictions' })).toEqual({
      task: 'Predictions',
      message: 'of ***',
    });
  });

  it('is what follows the host, if a variable holds a URL', () => {
    const secrets = new Secrets();
    secrets.addVariable('https://me:pass-word-1@hooks.example/T000/B000-1/abcdef');
    expect(secrets.message('https://hooks.example/T000/B000-1/abcdef did not answer pass-word-1')).toBe(
      'https://hooks.example*** did not answer ***',
    );
  });

  it.each([
    ['at each mark', 'a hunter…,b hunter2-hun…', 'a ***…,b ***…'],
    ['before three dots', '{"a":"xhunter2-..."}', '{"a":"x***..."}'],
    ['in other case', 'HUNTER2…', '***…'],
    ['whose end is a dot', 'of hunt....', 'of ***....'],
    ['not where it is too short to be recognised', 'hun…', 'hun…'],
  ])('is masked where a text was cut within it: %s', (_, text, masked) => {
    expect(new Secrets(['hunter2-hunter2']).text(text)).toBe(masked);
    expect(new Secrets(['hunt...er2']).text('hunt...')).toBe('***...');
  });

  it.each<[string, (secrets: Secrets, text: string) => unknown]>([
    ['text', (secrets, text) => secrets.text(text)],
    ['message', (secrets, text) => secrets.message(text)],
    ['data', (secrets, text) => secrets.data({ text })],
    ['one line', (_, text) => oneLine(text)],
  ])('costs time in proportion to the %s it is looked for in', (_, look) => {
    const secrets = new Secrets(['hunter2-hunter2', 'AAAAAAB']);
    const shapes: ((size: number) => string)[] = [
      (size) => `see ... ${'A'.repeat(size)}`,
      (size) => '.'.repeat(size),
      (size) => 'hunt…'.repeat(size / 5),
      (size) => `${'hunt'.repeat(size / 4)} …`,
      (size) => `${' '.repeat(size)}…`,
      (size) => `…${'a='.repeat(size / 2)}`,
      (size) => `…${'a-'.repeat(size / 2)}`,
      (size) => `…${'?&'.repeat(size / 2)}`,
      (size) => `…${'a://'.repeat(size / 4)}`,
      (size) => `…${'Bearer '.repeat(size / 7)}`,
    ];
    for (const shape of shapes) {
      // Fifty times the size takes 2,500 times as long if the time is quadratic.
      const [small, large] = [shape(500), shape(25_000)];
      // The least times of some calls, which no other work of the machine has made longer.
      let [leastSmall, leastLarge] = [Infinity, Infinity];
      const isQuick = (): boolean => leastLarge / Math.max(leastSmall, 0.002) < 500;
      for (let call = 0; call < 3 || (call < 20 && !isQuick()); call++) {
        leastSmall = Math.min(
          leastSmall,
          timeOf(() => look(secrets, small)),
        );
        leastLarge = Math.min(
          leastLarge,
          timeOf(() => look(secrets, large)),
        );
      }
      expect([shape(8), isQuick()]).toEqual([shape(8), true]);
    }
  });

  it('never gets through, whatever it is', () => {
    const secret = fc.string({ minLength: 9, unit: 'grapheme' }).filter((text) => text.trim().length >= 9);
    fc.assert(
      fc.property(secret, fc.string(), (value, around) => {
        const secrets = new Secrets([value]);
        fc.pre(secrets.text(value) !== value);
        expect(secrets.text(`${around}${value}${around}`)).not.toContain(value.trim());
        expect(JSON.stringify(secrets.data({ deep: [{ value: `${around} ${value}` }] }))).not.toContain(
          JSON.stringify(value.trim()).slice(1, -1),
        );
      }),
    );
  });
});

describe('the secrets of a configuration', () => {
  it.each([
    [{ smtp_pass: 'canary' }, ['canary']],
    [{ jwt: 'canary' }, ['canary']],
    [{ dsn: 'https://canary@sentry.example/42' }, ['canary', 'https://canary@sentry.example/42']],
    [{ url: 'postgres://app:canary@db/x' }, ['canary', 'app:canary']],
    [{ url: 'https://api/?size=3&access_token=canary' }, ['canary']],
    [{ connection: 'Server=db;Password=canary;Database=x' }, ['canary']],
    [{ connection: "host=db password='can ary'" }, ['can ary']],
    [{ headers: [['Authorization', 'Bearer canary']] }, ['canary', 'Bearer canary']],
    [{ headers: [{ name: 'x-api-key', value: 'canary' }] }, ['canary']],
    [{ headers: ['Cookie: canary'] }, ['canary']],
    [{ headers: { 'x-api-key': 'canary' } }, ['canary']],
    [{ deep: [{ apiKey: ['canary'] }] }, ['canary']],
    [{ note: 'Bearer canary' }, ['canary']],
  ])('are found in %j', (config, expected) => {
    expect([...new Set(secretsIn(config))].sort()).toEqual([...expected].sort());
  });

  it('are not columns, counts and plain URLs', () => {
    const config = { key: 'member_id', keys: ['id', 'day'], max_tokens: 4096, url: 'http://h:1/p?size=3', keyed: 'x' };
    expect(secretsIn(config)).toEqual([]);
  });
});
