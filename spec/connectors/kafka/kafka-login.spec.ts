/** TLS and logins, on a real broker: in code, and on the command line by a file without a password in it. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { execFileSync } from 'node:child_process';
import { afterAll, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import { kafka, type KafkaOptions } from '#lib/connectors/kafka/index.js';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { clusterFrom } from '#lib/jobs/spread/kafka-cluster.js';
import { placeIn } from '../../support/place-in.js';
import { Secrets } from '#lib/text/secrets.js';
import type { BrokerOptions } from '../../kafka/broker.js';
import { valuesOf } from '../../kafka/both-readers.js';
import { whyNoBroker } from '../../kafka/artifacts.js';
import { describeWithBroker } from '../../kafka/with-broker.js';

const root = new URL('../../../../', import.meta.url).pathname;
const PASSWORD = 'correct-horse-battery';
const folder = mkdtempSync(join(tmpdir(), 'millrace-login-'));
const store = join(folder, 'broker.p12');
const ca = join(folder, 'ca.pem');

/** A key and a certificate that signs itself; Java has the tool for it. */
function makeCertificate(): void {
  const own = ['-keystore', store, '-storepass', 'changeit', '-alias', 'broker'];
  const names = ['-dname', 'CN=localhost', '-ext', 'san=ip:127.0.0.1,dns:localhost'];
  execFileSync(
    'keytool',
    ['-genkeypair', '-keyalg', 'EC', '-storetype', 'PKCS12', '-validity', '30', ...names, ...own],
    {
      stdio: 'ignore',
    },
  );
  execFileSync('keytool', ['-exportcert', '-rfc', '-file', ca, ...own], { stdio: 'ignore' });
}

/** A JSON Web Token without a signature, which expires in some seconds. */
function tokenUntil(seconds: number): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [{ alg: 'none' }, { sub: 'ann', iat: now - 3600, exp: now + seconds }];
  return `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
}

if (whyNoBroker() === undefined) makeCertificate();

const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule';
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule';
const BEARER = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule';
const SECURE: BrokerOptions = {
  listeners: { TLS: 'SSL', LOGIN: 'SASL_SSL' },
  properties: [
    ...['ssl.keystore.type=PKCS12', `ssl.keystore.location=${store}`, 'ssl.keystore.password=changeit'],
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    `listener.name.login.plain.sasl.jaas.config=${PLAIN} required user_ann="${PASSWORD}";`,
    `listener.name.login.scram-sha-256.sasl.jaas.config=${SCRAM} required;`,
    `listener.name.login.scram-sha-512.sasl.jaas.config=${SCRAM} required;`,
    // Rights: everybody may do what nobody is refused, and specs without a login may do everything.
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    ...['allow.everyone.if.no.acl.found=true', 'super.users=User:ANONYMOUS'],
    // Tokens without a signature, which the brokers of Kafka accept for tests.
    `listener.name.login.oauthbearer.sasl.jaas.config=${BEARER} required unsecuredLoginStringClaim_sub="broker";`,
  ],
  format: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=ann,password=${PASSWORD}]`,
  ]),
};

/** Copies a topic, with a login. From record 300 on it waits for as long as there is a file \`hold\`. */
const COPY = `
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow } from 'millrace';
import { kafka, kafkaSink, kafkaSource } from 'millrace/kafka';
const { BROKER, CA, KAFKA_PASSWORD: password, from, to } = process.env;
const sasl = { mechanism: 'scram-sha-512', username: 'ann', password };
const cluster = kafka({ brokers: [BROKER], tls: { ca: readFileSync(CA, 'utf8') }, sasl });
export default defineWorkflow({
  name: 'Copy',
  window: 32,
  build: (flow) =>
    flow
      .task('In', kafkaSource({ cluster, topic: from, until: 'end', maxWaitMs: 50 }))
      .task('Work', ['In'], asyncTask(async (n) => {
        while (Number(n) >= 300 && existsSync('hold')) await sleep(20);
        return n;
      }, { concurrency: 2 }))
      .task('Out', ['Work'], kafkaSink({ cluster, topic: to })),
});
`;

/** A process of the command, with its output. */
interface Started {
  readonly told: { readonly out: string; readonly errors: string };
  readonly over: Promise<[code: number | null]>;
}

describeWithBroker(
  'a cluster with TLS and logins',
  (broker) => {
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    const find = async (options: Omit<KafkaOptions, 'brokers'>, listener = 'LOGIN'): Promise<boolean> => {
      const client = await openClient(kafka({ brokers: [broker().at(listener)], timeoutMs: 30_000, ...options }));
      try {
        return await client.hasTopic('no-such-topic');
      } finally {
        await client.close();
      }
    };
    const tls = (): { ca: string } => ({ ca: readFileSync(ca, 'utf8') });

    it('is reached over TLS if its certificate is trusted', async () => {
      expect(await find({ tls: tls() }, 'TLS')).toBe(false);
      await expect(find({ tls: true, timeoutMs: 500 }, 'TLS')).rejects.toMatchObject({ code: 'MILLRACE_NETWORK' });
    });

    it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
      'accepts a login by %s, and refuses a wrong one',
      async (mechanism) => {
        expect(await find({ tls: tls(), sasl: { mechanism, username: 'ann', password: PASSWORD } })).toBe(false);
        const wrong = { tls: tls(), sasl: { mechanism, username: 'ann', password: 'wrong-password' } };
        await expect(find(wrong)).rejects.toMatchObject({ message: expect.stringMatching(/auth|SASL/i) as unknown });
      },
    );

    it('accepts a token, and asks for a fresh one for each connection if it is given by a function', async () => {
      const sasl = { mechanism: 'oauthbearer' } as const;
      expect(await find({ tls: tls(), sasl: { ...sasl, token: tokenUntil(600) } })).toBe(false);
      let asked = 0;
      const token = (): Promise<string> => {
        asked++;
        return Promise.resolve(tokenUntil(600));
      };
      expect(await find({ tls: tls(), sasl: { ...sasl, token } })).toBe(false);
      expect(asked).toBeGreaterThan(0);
      const expired = find({ tls: tls(), sasl: { ...sasl, token: tokenUntil(-600) } });
      await expect(expired).rejects.toMatchObject({ message: expect.stringMatching(/auth|SASL|token/i) as unknown });
    });

    it('is described for the command line by a file, whose secrets are masked', async () => {
      const file = join(folder, 'cluster.json');
      const login = { mechanism: 'scram-sha-512', username: 'ann', password: '${KAFKA_PASSWORD}' };
      const content = { brokers: [broker().at('LOGIN')], tls: { caFile: 'ca.pem' }, sasl: login };
      await writeFile(file, JSON.stringify(content));
      const secrets = new Secrets();
      const place = { ...placeIn(root, { KAFKA_PASSWORD: PASSWORD }), secrets };
      const cluster = await clusterFrom(file, place);
      expect(cluster.options.sasl).toEqual({ ...login, password: PASSWORD });
      expect(secrets.text(`the password is ${PASSWORD}`)).not.toContain(PASSWORD);
      await expect(clusterFrom(file, { ...place, environment: {} })).rejects.toMatchObject({ code: 'MILLRACE_CONFIG' });
      const command = ['transactions', 'list', '--kafka', file];
      const { stderr } = await promisify(execFile)(process.execPath, [join(root, 'dist', 'cli.js'), ...command], {
        env: { ...process.env, KAFKA_PASSWORD: PASSWORD },
      });
      expect(stderr).toBe('0 transactions open\n');
    });

    it('stops a run that loses its rights, with the answer of the broker, and resumes it when it has them', async () => {
      const [from, to] = [await broker().topic(), await broker().topic()];
      const numbers = [...new Array<undefined>(800).keys()];
      await broker().write(
        from,
        numbers.map((n) => ({ value: String(n) })),
      );
      await mkdir(join(root, 'build'), { recursive: true });
      const own = await mkdtemp(join(root, 'build', 'kafka-rights-'));
      const environment = { ...process.env, KAFKA_PASSWORD: PASSWORD, CA: ca, BROKER: broker().at('LOGIN'), from, to };
      const millrace = (...words: string[]): Started => {
        const all = [join(root, 'dist', 'cli.js'), ...words];
        const child = spawn(process.execPath, all, { cwd: own, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
        const told = { out: '', errors: '' };
        child.stdout.setEncoding('utf8').on('data', (text: string) => (told.out += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => (told.errors += text));
        return { told, over: once(child, 'close') as Promise<[number | null]> };
      };
      const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
      const DENY_ALL = {
        ...{ resourceType: AclResourceTypes.TOPIC, resourceName: to, principal: 'User:ann', host: '*' },
        ...{ resourcePatternType: ResourcePatternTypes.LITERAL, operation: AclOperationTypes.ALL },
        permissionType: AclPermissionTypes.DENY,
      };
      try {
        await mkdir(join(own, 'node_modules'));
        await symlink(root, join(own, 'node_modules', 'millrace'));
        await writeFile(join(own, 'flow.mjs'), COPY);
        const hold = join(own, 'hold');
        await writeFile(hold, '');
        const admin = await broker().asAdmin();
        const first = millrace('run', './flow.mjs', '--run-id', 'rights', '--json');
        while (!/"Work":\{[^{}]*"out":[1-9]/.test(first.told.out)) {
          if (first.told.errors !== '') throw new Error(first.told.errors);
          await sleep(20);
        }
        await admin.createAcls({ acl: [DENY_ALL] });
        await rm(hold);
        expect(await first.over).toEqual([1, null]);
        expect(first.told.out + first.told.errors).toMatch(/MILLRACE_KAFKA.*TOPIC_AUTHORIZATION_FAILED/);
        await admin.deleteAcls({ filters: [DENY_ALL] });
        const second = millrace('resume', 'rights', '--json');
        expect([...(await second.over), second.told.errors]).toEqual([0, null, '']);
        const seen = (await valuesOf(broker(), broker().cluster, to)).map(Number);
        expect(seen.sort((a, b) => a - b)).toEqual(numbers);
      } finally {
        await rm(own, { recursive: true, force: true });
      }
    }, 120_000);
  },
  SECURE,
);
