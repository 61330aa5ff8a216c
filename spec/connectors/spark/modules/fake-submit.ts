#!/usr/bin/env node
/**
 * A `spark-submit` of the specs, without Spark. Its application arguments say what it does, one after another.
 *
 * `show`: writes what it was given as rows. `rows:<JSON>`: writes rows. `events`: writes an event log. `note:<path>`:
 * adds its process id to a file. `until:<path>`: waits until the file exists. `fail:<code>`: ends so.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const args = process.argv.slice(2);
const properties = args[args.indexOf('--properties-file') + 1] as string;
const settings = readFileSync(properties, 'utf8');
const results = process.env['MILLRACE_RESULTS'] as string;
const events = /^spark\.eventLog\.dir=file\\:\/\/(.*)$/m.exec(settings)?.[1] as string;

for (const step of args) {
  const [name, rest] = [step.split(':', 1)[0], step.slice(step.indexOf(':') + 1)];
  switch (name) {
    case 'show': {
      const mode = (statSync(properties).mode & 0o777).toString(8);
      const shown = { args, settings, mode, password: process.env['PASSWORD'] };
      writeFileSync(results, `${JSON.stringify(shown)}\n`);
      break;
    }
    case 'rows':
      // In parts, as Spark writes them.
      mkdirSync(results);
      (JSON.parse(rest) as unknown[]).forEach((row, i) => {
        writeFileSync(join(results, `part-${i}.json`), `${JSON.stringify(row)}\n`);
      });
      writeFileSync(join(results, '_SUCCESS'), '');
      break;
    case 'events':
      writeFileSync(
        join(events, 'app-1.inprogress'),
        [
          '{"Event":"SparkListenerApplicationStart","App Name":"It","App ID":"app-1"}',
          '{"Event":"SparkListenerStageSubmitted","Stage Info":{"Stage ID":0,"Number of Tasks":4}}',
          '{"Event":"SparkListenerTaskEnd","Task End Reason":{"Reason":"Success"}}\n',
        ].join('\n'),
      );
      break;
    case 'note':
      appendFileSync(rest, `${process.pid}\n`);
      break;
    case 'until':
      while (!existsSync(rest)) await sleep(20);
      break;
    case 'fail':
      process.stderr.write(
        '26/11/27 23:50:00 INFO SparkContext: Running\nException in thread "main" java.lang.IllegalStateException: no input\n\tat Main\n',
      );
      process.exit(Number(rest));
      break;
    default:
  }
}
