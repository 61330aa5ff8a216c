/**
 * A task of your own: `Upsert` extends `RecordTask`, opens its connection once per run and always closes it. The engine
 * does the rest: concurrency, backpressure, failures, counts.
 *
 * `node build/examples/upsert.js`
 */
import { defineWorkflow, sourceTask, RecordTask, type RecordContext, type RunOutcome } from 'millrace';

interface Account {
  readonly id: string;
  readonly balance: number;
}

/** A stand-in for the client of a database: a table in memory, with the asynchronous interface of a real client. */
class Database {
  readonly rows = new Map<string, Account>();
  isConnected = false;

  async connect(): Promise<void> {
    await Promise.resolve();
    this.isConnected = true;
  }

  async upsert(account: Account, signal: AbortSignal): Promise<'inserted' | 'updated'> {
    await Promise.resolve();
    signal.throwIfAborted();
    if (account.balance < 0) throw new RangeError(`balance of ${account.id} is below zero`);
    const outcome = this.rows.has(account.id) ? 'updated' : 'inserted';
    this.rows.set(account.id, account);
    return outcome;
  }

  async disconnect(): Promise<void> {
    await Promise.resolve();
    this.isConnected = false;
  }
}

class Upsert extends RecordTask<Account, string> {
  override readonly kind = 'upsert';
  private readonly database: Database;

  constructor(database: Database) {
    // One at a time, so that two records of one account are written in the order of their arrival.
    super({ concurrency: 1 });
    this.database = database;
  }

  override open(): Promise<void> {
    return this.database.connect();
  }

  // A resumed run may write a record a second time: an upsert by key makes that harmless, an insert would not.
  protected override async process(account: Account, { signal }: RecordContext): Promise<string> {
    return `${account.id} ${await this.database.upsert(account, signal)}`;
  }

  override close(_outcome: RunOutcome): Promise<void> {
    return this.database.disconnect();
  }
}

const database = new Database();
const Accounts = defineWorkflow({
  name: 'Accounts',
  build: (flow) =>
    flow
      .task(
        'Changes',
        sourceTask<Account>([
          { id: 'ada', balance: 10 },
          { id: 'grace', balance: 20 },
          { id: 'edsger', balance: -1 },
          { id: 'ada', balance: 30 },
        ]),
      )
      .task('Upsert', ['Changes'], new Upsert(database)),
});

const run = Accounts.run();
run.output$('Upsert').subscribe((line) => {
  console.log(line);
});
const { deadLettered } = await run.finished;
console.log(`${database.rows.size} rows, ada has ${database.rows.get('ada')?.balance ?? 'nothing'}`);
console.log(`${deadLettered} dead letter, connected: ${database.isConnected}`);
