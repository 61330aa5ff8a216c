/**
 * A server of S3 on this machine, which keeps its objects in memory and checks signatures.
 *
 * Guarantees: it listens on loopback only, on a free port, and ends with the process that started it, also if that is
 * killed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { s3Store, type S3Credentials } from 'millrace/s3';
import type { FileStore } from 'millrace/connect/files';
import { bytesOf, S3Client } from '#lib/connectors/s3/s3-client.js';
import { listObjects } from '#lib/connectors/s3/s3-listing.js';
import { S3Settings } from '#lib/connectors/s3/s3-settings.js';
import { elements } from '#lib/connectors/s3/xml.js';
import { motoHome } from './artifacts.js';

const SCRIPT = new URL('../../../spec/s3/server.py', import.meta.url).pathname;

export class S3Server {
  readonly endpoint: string;
  readonly credentials: S3Credentials;
  private readonly child: ChildProcess;
  private readonly port: number;
  private readonly client: S3Client;
  private buckets = 0;

  private constructor(child: ChildProcess, port: number, credentials: S3Credentials) {
    this.child = child;
    this.port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
    this.credentials = credentials;
    this.client = new S3Client(new S3Settings(this.settings(), {}));
  }

  /** Resolves when the server accepts connections. */
  static async start(): Promise<S3Server> {
    const child = spawn('python3', [SCRIPT], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, PYTHONPATH: motoHome, PYTHONDONTWRITEBYTECODE: '1' },
    });
    const lines = createInterface(child.stdout);
    const [line] = (await once(lines, 'line')) as [string];
    const { port, credentials } = JSON.parse(line) as { port: number; credentials: S3Credentials };
    return new S3Server(child, port, credentials);
  }

  /** A store for sources and sinks. */
  store(endpoint = this.endpoint): FileStore {
    return s3Store({ ...this.settings(), endpoint });
  }

  /** The environment of a program whose paths lead to this server. */
  environment(): Record<string, string> {
    const { accessKeyId, secretAccessKey } = this.credentials;
    const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    return { AWS_ENDPOINT_URL_S3: this.endpoint, AWS_REGION: 'us-east-1', ...keys };
  }

  /** Makes a bucket, and returns its name. */
  async bucket(bucket = `specs-${this.buckets++}`): Promise<string> {
    await this.client.text({ method: 'PUT', bucket, key: '' });
    return bucket;
  }

  async put(bucket: string, key: string, body: string | Uint8Array): Promise<void> {
    await this.client.text({ method: 'PUT', bucket, key, body: Buffer.from(body) });
  }

  async get(bucket: string, key: string): Promise<Buffer> {
    const { body } = await this.client.send({ method: 'GET', bucket, key });
    return bytesOf(body);
  }

  async keys(bucket: string): Promise<readonly string[]> {
    const keys: string[] = [];
    for await (const { key } of listObjects(this.client, { bucket, prefix: '' })) keys.push(key);
    return keys;
  }

  /** The ids of the uploads that are not over. */
  async uploads(bucket: string): Promise<readonly string[]> {
    const { text } = await this.client.text({ method: 'GET', bucket, key: '', query: { uploads: '' } });
    return elements(text, 'UploadId');
  }

  /** Aborts the uploads to this key. */
  async abort(bucket: string, key: string): Promise<void> {
    for (const uploadId of await this.uploads(bucket)) {
      await this.client.text({ method: 'DELETE', bucket, key, query: { uploadId } });
    }
  }

  /** A way to this server that can be cut. */
  proxy(): Promise<Proxy> {
    return Proxy.start(this.port);
  }

  async stop(): Promise<void> {
    const over = once(this.child, 'exit');
    this.child.stdin?.end();
    await over;
  }

  private settings(): { endpoint: string; region: string; credentials: S3Credentials } {
    const { endpoint, credentials } = this;
    return { endpoint, region: 'us-east-1', credentials };
  }
}

/** Passes bytes on, and cuts connections after a number of bytes of the server. */
export class Proxy {
  readonly endpoint: string;
  /** The number of connections that are cut next, and after how many bytes of the server. */
  cuts: { count: number; readonly afterBytes: number } = { count: 0, afterBytes: 0 };
  /** The number of bytes that the server has sent. */
  bytes = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (client) => {
      const upstream = connect(port, '127.0.0.1');
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.sockets.delete(socket);
          other.destroy();
        });
      }
      client.pipe(upstream);
      let sent = 0;
      upstream.on('data', (chunk: Buffer) => {
        this.bytes += chunk.length;
        sent += chunk.length;
        const isCut = this.cuts.count > 0 && sent > this.cuts.afterBytes;
        if (isCut) {
          this.cuts.count--;
          client.destroy();
        } else if (!client.write(chunk)) {
          upstream.pause();
          client.once('drain', () => upstream.resume());
        }
      });
    });
  }

  static async start(port: number): Promise<Proxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Proxy(server, port);
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}
