/**
 * A live feed: compares the average of the last three prices with a limit that changes from time to time.
 *
 * `node build/examples/price-feed.js ws://127.0.0.1:9000` – the server sends numbers at /prices and /limit.
 */
import { defineWorkflow, operatorTask, sourceTask, syncTask } from 'millrace';
import { bufferCount, filter, map, Observable } from 'rxjs';
import { WebSocket } from 'ws';
import { z } from 'zod';

const [, , server = ''] = process.argv;
if (server === '') {
  console.error('Name the server with the prices: node build/examples/price-feed.js ws://127.0.0.1:9000');
  process.exit(2);
}

/** The numbers from a socket. The socket closes when the run unsubscribes. */
function numbers(path: string): Observable<number> {
  return new Observable((subscriber) => {
    const socket = new WebSocket(server + path);
    socket.on('message', (data: Buffer) => {
      subscriber.next(Number(data.toString()));
    });
    socket.on('error', (error) => {
      subscriber.error(error);
    });
    socket.on('close', () => {
      subscriber.complete();
    });
    return () => {
      socket.close();
    };
  });
}

// A socket cannot wait. An old price is worth less than a new one, so the buffer drops the oldest. A socket cannot be
// read again either; with `replayable: false` the run never claims that it can be resumed.
const live = { buffer: 1000, overflow: 'drop-oldest', replayable: false, output: z.number() } as const;

const Alerts = defineWorkflow({
  name: 'Alerts',
  build: (flow) =>
    flow
      .task(
        'Prices',
        sourceTask(() => numbers('/prices'), live),
      )
      .task(
        'Limit',
        sourceTask(() => numbers('/limit'), live),
      )
      // Any RxJS operator can be a task. Its outputs do not descend from single prices, so they start new lineages.
      .task(
        'Average',
        ['Prices'],
        operatorTask((prices$: Observable<number>) =>
          prices$.pipe(
            bufferCount(3, 1),
            // The last windows of a feed that ends hold fewer than three prices.
            filter((prices) => prices.length === 3),
            map((prices) => prices.reduce((sum, price) => sum + price, 0) / prices.length),
          ),
        ),
      )
      // The two sources are independent: take the newest of each, whenever either changes.
      .task(
        'Compare',
        ['Average', 'Limit'],
        { join: 'latest' },
        syncTask(([average, limit]) => ({ average, limit })),
      ),
});

const run = Alerts.run();
run
  .output$('Compare')
  .pipe(filter(({ average, limit }) => average > limit))
  .subscribe(({ average, limit }) => {
    console.log(`${average.toFixed(2)} is above ${limit}`);
  });
// Ctrl-C stops the sources and lets records in flight settle.
process.once('SIGINT', () => {
  run.drain();
});
await run.finished;
