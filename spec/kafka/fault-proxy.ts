/**
 * A proxy in front of one broker, which does to the connections of clients what networks do.
 *
 * Guarantees: it listens on loopback only, and forwards everything unchanged while no fault is set. It understands the
 * frames of the protocol, so it can lose the answer to one kind of request.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const LENGTH_BYTES = 4;
/** The number of the request EndTxn. */
export const END_TXN = 26;

interface Pair {
  readonly client: Socket;
  readonly broker: Socket;
}

export class FaultProxy {
  private readonly server: Server;
  private readonly pairs = new Set<Pair>();
  private target = 0;
  private delayMs = 0;
  private isSilent = false;
  /** The request whose next answers are lost, and how many. */
  private losing = { api: -1, left: 0 };

  private constructor(server: Server) {
    this.server = server;
    server.on('connection', (client) => {
      this.join(client);
    });
  }

  static async start(): Promise<FaultProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(server);
  }

  /** The address that clients use. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Sets the port of the broker. */
  leadTo(port: number): void {
    this.target = port;
  }

  /** Delays every answer. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** Keeps connections open and forwards nothing, until `recover`. */
  silence(): void {
    this.isSilent = true;
  }

  /** Loses the answers to the next requests of a kind: the broker does what they ask. */
  loseAnswers(api: number, count: number): void {
    this.losing = { api, left: count };
  }

  /** Ends all connections at once. */
  reset(): void {
    for (const { client, broker } of this.pairs) {
      client.resetAndDestroy();
      broker.resetAndDestroy();
    }
    this.pairs.clear();
  }

  /** Ends every fault. What was held back is lost with its connections. */
  recover(): void {
    this.delayMs = 0;
    this.losing = { api: -1, left: 0 };
    if (!this.isSilent) return;
    this.isSilent = false;
    this.reset();
  }

  async stop(): Promise<void> {
    this.reset();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket): void {
    const broker = connect(this.target, '127.0.0.1');
    const pair = { client, broker };
    this.pairs.add(pair);
    const end = (): void => {
      this.pairs.delete(pair);
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) socket.on('error', end).on('close', end);
    /** The numbers of requests whose answers are lost. */
    const lost = new Set<number>();
    const asked = new Frames((frame) => {
      if (frame.readInt16BE(LENGTH_BYTES) === this.losing.api && this.losing.left > 0) {
        this.losing.left--;
        lost.add(frame.readInt32BE(LENGTH_BYTES + 4));
      }
      if (!this.isSilent) broker.write(frame);
    });
    const answered = new Frames((frame) => {
      if (this.isSilent || lost.delete(frame.readInt32BE(LENGTH_BYTES))) return;
      if (this.delayMs === 0) client.write(frame);
      else setTimeout(() => client.writable && client.write(frame), this.delayMs);
    });
    client.on('data', (bytes) => {
      asked.add(bytes);
    });
    broker.on('data', (bytes) => {
      answered.add(bytes);
    });
  }
}

/** Cuts a stream of bytes into frames: a length in four bytes, and as many bytes. */
class Frames {
  private readonly onFrame: (frame: Buffer) => void;
  private rest: Buffer = Buffer.alloc(0);

  constructor(onFrame: (frame: Buffer) => void) {
    this.onFrame = onFrame;
  }

  add(bytes: Buffer): void {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.rest.readInt32BE(0);
      if (this.rest.length < end) return;
      this.onFrame(this.rest.subarray(0, end));
      this.rest = this.rest.subarray(end);
    }
  }
}
