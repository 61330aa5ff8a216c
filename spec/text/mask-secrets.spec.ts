import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isSecretName, maskSecrets } from '#lib/text/mask-secrets.js';

describe('a masked configuration', () => {
  it.each([
    'password',
    'db_password',
    'dbPassword',
    'PASSWD',
    'token',
    'accessToken',
    'access-token',
    'refresh_tokens',
    'secret',
    'clientSecret',
    'key',
    'apiKey',
    'API_KEY',
    'apikey',
    'privateKey',
    'Authorization',
    'auth',
    'credentials',
    'cookie',
  ])('hides %s', (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  it.each(['monkey', 'keyed', 'key_column', 'partitionKeyCount', 'author', 'csv_path', 'concurrency', 'maxKeysPerRun'])(
    'shows %s',
    (name) => {
      expect(isSecretName(name)).toBe(false);
    },
  );

  it('hides secrets at any depth, whatever they are, and what URLs say of them', () => {
    const config = {
      api: { headers: { Authorization: 'Bearer x', accept: '*/*' }, keys: ['a', 'b'] },
      list: [{ password: 1234 }],
      token: null,
      secret: false,
      url: 'https://user:pass@host/path?token=abc&size=3',
      address: new URL('wss://me:pw@host/'),
    };
    expect(maskSecrets(config)).toEqual({
      api: { headers: { Authorization: '***', accept: '*/*' }, keys: '***' },
      list: [{ password: '***' }],
      token: null,
      secret: false,
      url: 'https://***@host/path?token=***&size=3',
      address: 'wss://***@host/',
    });
  });

  it('is plain data, whatever went in, and leaves that as it was', () => {
    const circle: Record<string, unknown> = {
      when: new Date(0),
      big: 5n,
      map: new Map([['password', 'x']]),
      of: () => 1,
    };
    circle['self'] = circle;
    expect(maskSecrets(circle)).toEqual({
      when: '1970-01-01T00:00:00.000Z',
      big: '5n',
      map: { password: '***' },
      of: '(function)',
      self: '(…)',
    });
    expect(circle['self']).toBe(circle);
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const masked = maskSecrets({ value });
        expect(() => JSON.stringify(masked)).not.toThrow();
        expect(JSON.stringify(maskSecrets({ password: 'hunter2', value }))).not.toContain('hunter2');
      }),
    );
  });
});
