/**
 * One session with a Spark Connect server, with one method per request.
 *
 * Guarantees: a request with a single answer ends within its time limit. A broken connection rejects requests and never
 * ends the process; the next request connects again.
 */
import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Client, ClientReadableStream, Metadata } from '@grpc/grpc-js';
import {
  AddArtifactsRequest,
  AddArtifactsResponse,
  ALL,
  BY_OPERATION,
  ConfigRequest,
  ConfigResponse,
  ExecutePlanRequest,
  ExecutePlanResponse,
  InterruptRequest,
  InterruptResponse,
  Nothing,
  ReattachRequest,
  ReleaseRequest,
  ReleaseSessionRequest,
  type Plan,
} from './protocol/messages.js';
import type { Message } from './protocol/wire.js';
import { reportOf } from './spark-errors.js';
import { grpcPackage } from './spark-packages.js';
import { addressOf, type SparkConnection } from './spark-remote.js';

const SERVICE = '/spark.connect.SparkConnectService/';
const CLIENT_TYPE = '_SPARK_CONNECT_MILLRACE';
/** The largest message: Spark does not split one value, and the default of gRPC is 4 MiB. */
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
const KEEPALIVE_MS = 60_000;
/** How many bytes the server may send before they are read. With the default of 64 KiB it waits several times per message. */
const WINDOW_BYTES = 1024 * 1024;
/** The time limit of a request with a single answer. */
const REQUEST_MS = 60_000;

/** The stream of the answers of an execution. */
export type Answers = ClientReadableStream<ExecutePlanResponse>;

export class SparkSession {
  readonly id: string;
  private readonly client: Client;
  private readonly head: {
    readonly sessionId: string;
    readonly user: { readonly userId: string; readonly userName: string };
  };
  private readonly metadata: () => Promise<Metadata>;

  /**
   * @param id the id of a session that another process may have begun. Default: a new session, which begins with its
   *   first request.
   */
  constructor(connection: SparkConnection, id: string = randomUUID()) {
    const { Client, credentials, Metadata } = grpcPackage();
    const { target, usesTls, userId, token: inAddress } = addressOf(connection);
    this.id = id;
    this.head = { sessionId: id, user: { userId, userName: userId } };
    this.client = new Client(target, usesTls ? credentials.createSsl() : credentials.createInsecure(), {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc-node.flow_control_window': WINDOW_BYTES,
      // Sessions must not share a connection, because each session closes its connection at its end.
      'grpc.use_local_subchannel_pool': 1,
    });
    const { token = inAddress } = connection;
    this.metadata = async () => {
      const metadata = new Metadata();
      const own = typeof token === 'function' ? await token() : token;
      if (own !== undefined) metadata.set('authorization', `Bearer ${own}`);
      return metadata;
    };
  }

  /** Begins an execution. */
  async execute(plan: Plan, operationId: string): Promise<Answers> {
    const options = [{ reattach: { isReattachable: true } }];
    return this.answers('ExecutePlan', ExecutePlanRequest, {
      ...this.head,
      plan,
      clientType: CLIENT_TYPE,
      operationId,
      options,
    });
  }

  /** Continues the answers of an execution after one of them, or from the first one on. */
  async reattach(operationId: string, lastResponseId: string | undefined): Promise<Answers> {
    const request = { ...this.head, operationId, clientType: CLIENT_TYPE, lastResponseId };
    return this.answers('ReattachExecute', ReattachRequest, request);
  }

  /** Makes the server forget an execution and its rows. */
  async release(operationId: string): Promise<void> {
    const request = { ...this.head, operationId, clientType: CLIENT_TYPE, all: {} };
    await this.ask('ReleaseExecute', ReleaseRequest, Nothing, request);
  }

  /** Cancels an execution. Returns whether the server had it. */
  async interrupt(operationId: string): Promise<boolean> {
    const request = { ...this.head, clientType: CLIENT_TYPE, type: BY_OPERATION, operationId };
    const { interruptedIds = [] } = await this.ask('Interrupt', InterruptRequest, InterruptResponse, request);
    return interruptedIds.includes(operationId);
  }

  /**
   * Cancels all executions of the session. Returns those that were not cancelled before; some may not have ended yet.
   */
  async interruptAll(): Promise<readonly string[]> {
    const request = { ...this.head, clientType: CLIENT_TYPE, type: ALL };
    const { interruptedIds = [] } = await this.ask('Interrupt', InterruptRequest, InterruptResponse, request);
    return interruptedIds;
  }

  /**
   * Resolves when an execution of another process has ended. It is not released: if that process still runs, it must
   * read that its execution was cancelled, because it would repeat one that the server does not have.
   */
  async untilEnded(operationId: string): Promise<void> {
    try {
      let last: ExecutePlanResponse = {};
      // The server ends a long stream by itself.
      while (last.complete === undefined) {
        for await (const answer of await this.reattach(operationId, last.responseId)) {
          last = answer as ExecutePlanResponse;
        }
      }
    } catch (error) {
      // Any other error is the end of the execution.
      if (reportOf(error).failure === 'lost') throw error;
    }
  }

  /** The id that the server has given to the session; a part of the paths of its files. */
  async serverSideId(): Promise<string> {
    const request = { ...this.head, operation: { get: { keys: ['spark.sql.session.timeZone'] } } };
    const { serverSessionId = '' } = await this.ask('Config', ConfigRequest, ConfigResponse, request);
    return serverSessionId;
  }

  /**
   * Sends files to the executors. They appear in a folder of the session, below the working folder of each executor.
   */
  async addFiles(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const artifacts = [...files].map(([name, data]) => ({ name: `files/${name}`, data: { data, crc: crc32(data) } }));
    const metadata = await this.metadata();
    const { artifacts: added = [] } = await new Promise<ReturnType<typeof AddArtifactsResponse.decode>>(
      (resolve, reject) => {
        const call = this.client.makeClientStreamRequest(
          `${SERVICE}AddArtifacts`,
          encoderOf(AddArtifactsRequest),
          decoderOf(AddArtifactsResponse),
          metadata,
          { deadline: Date.now() + REQUEST_MS },
          settle(resolve, reject),
        );
        call.write({ ...this.head, batch: { artifacts } });
        call.end();
      },
    );
    const broken = added.find(({ isIntact }) => isIntact !== true);
    if (broken !== undefined || added.length !== files.size) throw new Error('The server received damaged files');
  }

  /** Ends the session on the server. */
  async end(): Promise<void> {
    await this.ask('ReleaseSession', ReleaseSessionRequest, Nothing, { ...this.head, clientType: CLIENT_TYPE });
  }

  /** Closes the connection at once; the session stays on the server. */
  disconnect(): void {
    this.client.close();
  }

  private async answers<T>(method: string, kind: Message<T>, request: T): Promise<Answers> {
    return this.client.makeServerStreamRequest(
      SERVICE + method,
      encoderOf(kind),
      decoderOf(ExecutePlanResponse),
      request,
      await this.metadata(),
      {},
    );
  }

  private async ask<In, Out>(method: string, kind: Message<In>, answer: Message<Out>, request: In): Promise<Out> {
    const metadata = await this.metadata();
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        SERVICE + method,
        encoderOf(kind),
        decoderOf(answer),
        request,
        metadata,
        { deadline: Date.now() + REQUEST_MS },
        settle(resolve, reject),
      );
    });
  }
}

function encoderOf<T>(kind: Message<T>): (value: T) => Buffer {
  return (value) => {
    const { buffer, byteOffset, byteLength } = kind.encode(value);
    return Buffer.from(buffer, byteOffset, byteLength);
  };
}

function decoderOf<T>(kind: Message<T>): (bytes: Buffer) => T {
  return (bytes) => kind.decode(bytes);
}

function settle<T>(resolve: (value: T) => void, reject: (error: unknown) => void) {
  return (error: Error | null, value?: T): void => {
    if (error === null) resolve(value as T);
    else reject(error);
  };
}
