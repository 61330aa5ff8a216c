/**
 * A process that copies a topic to a topic and to a file, and kills itself after some records; `kafka-kill.spec.ts`
 * starts it again. Arguments: broker, topic to read, topic to write, folder, number of the incarnation, records until
 * the kill (0: none).
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow } from 'millrace';
import { csvSink } from 'millrace/csv';
import { kafka, kafkaSink, kafkaSource } from 'millrace/kafka';
import { checkpointFile, deadLetterFile } from 'millrace/storage';

interface Item {
  readonly n: number;
}

const [address = '', from = '', to = '', folder = '', incarnation = '1', kill = '0'] = process.argv.slice(2);
const cluster = kafka({ brokers: [address] });
let left = Number(kill);

const Pipe = defineWorkflow({
  name: 'Pipe',
  build: (flow) =>
    flow
      .task('In', kafkaSource<Item>({ cluster, topic: from, until: 'end', groupId: `pipe-${from}` }))
      .task(
        'Work',
        ['In'],
        asyncTask(async ({ n }: Item) => {
          await sleep(n % 5);
          if (left > 0 && --left === 0) process.kill(process.pid, 'SIGKILL');
          if (n % 97 === 3) throw new Error('no good');
          return { n };
        }),
      )
      .task('Topic', ['Work'], kafkaSink<Item>({ cluster, topic: to, key: ({ n }) => String(n) }))
      .task('File', ['Work'], csvSink({ path: join(folder, 'out.csv'), columns: ['n'] })),
});

const checkpoints = checkpointFile(join(folder, 'checkpoint.json'), { incarnation: Number(incarnation) });
await Pipe.run(undefined, {
  checkpoints,
  checkpointEvery: { everyRecords: 100, everyMs: 50 },
  deadLetters: deadLetterFile(join(folder, 'letters.ndjson')),
  resumeFrom: await checkpoints.read(),
}).finished;
