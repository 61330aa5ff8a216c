/**
 * The mock server: HTTP and WebSocket on one port.
 *
 * Guarantees: when `startMockServer` resolves, the port answers; when `stop` resolves, no socket, timer or listener of
 * the server is left, in every state of the server; a restart uses the same port.
 */
import { STATUS_CODES, createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { ServerStats } from './activity.js';
import { resolveFaults, resolveScenario } from './fault-options.js';
import type { Faults, ResolvedFaultSet, ScenarioStep } from './fault-options.js';
import { HttpApi } from './http-api.js';
import { statusBody } from './http-reply.js';
import { latencySampler, parseLatency } from './latency.js';
import type { LatencySpec } from './latency.js';
import { UPGRADE_ROUTE } from './operations.js';
import { seededRandom, seedFor } from './random.js';
import { ServerState } from './server-state.js';
import type { RequestSeen } from './server-state.js';
import { WsConnection, methodsOf } from './ws-connection.js';

/** Options of `startMockServer`. */
export interface MockServerOptions {
  /** The port; 0 (default) chooses a free one. */
  readonly port?: number;
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** The latency of every request. Default 0: the server answers synchronously. */
  readonly latency?: LatencySpec;
  /** The seed of latency and faults. Default 1. */
  readonly seed?: number;
  /** The faults at the start. */
  readonly faults?: Faults;
  /** Faults that change over time; `atMs` counts from the moment the port answers. */
  readonly scenario?: readonly ScenarioStep[];
  /** The largest HTTP request body, default 1 MiB. A larger body gets status 413. */
  readonly bodyLimitBytes?: number;
  /** The largest WebSocket message, default 16 MiB. A larger message closes the connection with code 1009. */
  readonly maxPayloadBytes?: number;
  /** Called with every request whose body is JSON, also if a fault refuses the request afterwards. */
  readonly onRequest?: (request: RequestSeen) => void;
}

/** A running mock server: HTTP and WebSocket on one port. */
export interface MockServer {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  /** `ws://host:port`, without a slash at the end. */
  readonly wsUrl: string;
  /** The port in use; a restart uses the same one. */
  readonly port: number;
  /** A new snapshot of the counters. */
  readonly stats: ServerStats;
  /** The faults in force, with their defaults. */
  readonly faults: readonly ResolvedFaultSet[];
  /**
   * Replaces all faults (`{}`: none). Requests that have already arrived keep their faults. For invalid faults, throws
   * FaultsError and changes nothing.
   */
  setFaults(faults: Faults): void;
  /** Closes all sockets, refuses connections for `downMs` (default 0), and resolves when the port answers again. */
  restart(options?: { readonly downMs?: number }): Promise<void>;
  /** Stops the server. Idempotent; also ends a restart that is in progress. */
  stop(): Promise<void>;
}

/**
 * Starts a server. Rejects with Node's error if the port cannot be used, and with FaultsError or RangeError for invalid
 * options.
 */
export async function startMockServer(options: MockServerOptions = {}): Promise<MockServer> {
  const server = new Server(options);
  await server.start();
  return server;
}

class Server implements MockServer {
  port: number;
  readonly host: string;
  readonly #state: ServerState;
  readonly #api: HttpApi;
  readonly #http = createServer({ keepAliveTimeout: 65_000 });
  readonly #ws: WebSocketServer;
  readonly #sockets = new Set<Socket>();
  readonly #faults: readonly ResolvedFaultSet[];
  readonly #scenario: readonly ScenarioStep[];
  /** Ends the wait of a restart early. */
  #endDown: (() => void) | undefined;
  #restarting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: MockServerOptions) {
    const { port = 0, host = '127.0.0.1', latency = 0, seed = 1, bodyLimitBytes = 1_048_576, onRequest } = options;
    this.port = port;
    this.host = host;
    const sampler = latencySampler(parseLatency(latency), seededRandom(seedFor(seed, 'latency')));
    this.#scenario = resolveScenario(options.scenario ?? []);
    // The restart begins in the next turn, so that a client that requested it over HTTP still gets an answer. No code
    // waits for this restart. It can fail only if another process has occupied the port in the meantime.
    const restart = (downMs: number): void => {
      setImmediate(() => {
        this.restart({ downMs }).catch(() => this.stop());
      });
    };
    this.#state = new ServerState({ seed, sampler, bodyLimitBytes, onRequest, restart });
    this.#faults = resolveFaults(options.faults ?? {});
    this.#api = new HttpApi(this.#state);
    this.#ws = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: options.maxPayloadBytes ?? 16 * 1_048_576,
      autoPong: false,
      clientTracking: false,
    });
    this.#http.on('connection', (socket: Socket) => {
      this.#accept(socket);
    });
    this.#http.on('request', (request, response) => {
      this.#api.handle(request, response);
    });
    const methods = methodsOf(this.#state);
    this.#http.on('upgrade', (request, socket, head) => {
      // Node declares a Duplex; on a listening server it is always the net.Socket of the connection.
      if (socket instanceof Socket) this.#upgrade(request, socket, head, methods);
    });
  }

  get url(): string {
    return `http://${this.#authority}`;
  }

  get wsUrl(): string {
    return `ws://${this.#authority}`;
  }

  get stats(): ServerStats {
    return this.#state.activity.snapshot();
  }

  get faults(): readonly ResolvedFaultSet[] {
    return this.#state.faults;
  }

  setFaults(faults: Faults): void {
    this.#state.setFaults(faults);
  }

  async start(): Promise<void> {
    await this.#listen();
    // Faults must not take effect earlier, because a fault may be a restart. No request can be answered in between.
    this.#state.setFaults(this.#faults);
    this.#state.play(this.#scenario);
  }

  restart({ downMs = 0 }: { readonly downMs?: number } = {}): Promise<void> {
    // Two restarts at the same time count as one, because the port is already down.
    this.#restarting ??= this.#restart(downMs).finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #restart(downMs: number): Promise<void> {
    if (this.#stopping !== undefined) return;
    this.#state.activity.restarts++;
    await this.#close();
    if (downMs > 0 && this.#isRunning) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, downMs);
        this.#endDown = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#endDown = undefined;
    }
    if (this.#isRunning) await this.#listen();
  }

  async #stop(): Promise<void> {
    this.#state.stopPlaying();
    this.#endDown?.();
    await this.#restarting?.catch(() => undefined);
    if (this.#http.listening) await this.#close();
    this.#ws.close();
  }

  get #isRunning(): boolean {
    return this.#stopping === undefined;
  }

  get #authority(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${String(this.port)}`;
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen({ port: this.port, host: this.host, backlog: 1024 }, () => {
        this.#http.removeListener('error', reject);
        this.port = (this.#http.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  /** Stops listening, closes every socket, and calls all delayed work, which finds its socket closed. */
  #close(): Promise<void> {
    return new Promise((resolve) => {
      this.#http.close(() => {
        resolve();
      });
      for (const socket of this.#sockets) socket.destroy();
      this.#state.delays.flush();
    });
  }

  #accept(socket: Socket): void {
    const { activity } = this.#state;
    this.#sockets.add(socket);
    activity.connected();
    socket.once('close', () => {
      this.#sockets.delete(socket);
      activity.open--;
    });
    if (this.#state.injector?.isDeadOnAccept() === true) this.#api.abandon(socket);
  }

  #upgrade(request: IncomingMessage, raw: Socket, head: Buffer, methods: ReturnType<typeof methodsOf>): void {
    const { activity, injector } = this.#state;
    // Node removes its own listeners from an upgraded socket. An error without a listener would end the process.
    raw.on('error', () => raw.destroy());
    if (this.#api.isAbandoned(raw)) return;
    const wire = injector?.wire(UPGRADE_ROUTE);
    if (wire === 'halfOpen') return;
    if (wire === 'reset') {
      raw.resetAndDestroy();
      return;
    }
    const refusal = injector?.refuse(UPGRADE_ROUTE, 'http');
    if (refusal !== undefined) {
      const { status, retryAfter, location } = refusal;
      const body = statusBody(status, refusal.message);
      const lines = [`HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}`, 'content-type: application/json'];
      lines.push(`content-length: ${String(Buffer.byteLength(body))}`, 'connection: close');
      if (retryAfter !== undefined) lines.push(`retry-after: ${retryAfter}`);
      if (location !== undefined) lines.push(`location: ${location}`);
      raw.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
      return;
    }
    this.#ws.handleUpgrade(request, raw, head, (socket) => {
      activity.webSocketsOpened++;
      activity.webSocketsOpen++;
      socket.once('close', () => activity.webSocketsOpen--);
      // For an invalid or too large frame, ws closes the connection itself (1002, 1009).
      socket.on('error', () => undefined);
      new WsConnection(socket, raw, request.headers, this.#state, methods);
    });
  }
}
