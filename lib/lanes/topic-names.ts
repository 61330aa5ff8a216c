/**
 * The names of the topics of a run that is spread over several processes.
 *
 * Guarantees: no two topics of a run share a name, and each name is one that Kafka accepts.
 */
import { MillraceError } from '../model/errors.js';

/** The longest name of a topic that Kafka accepts. */
const LONGEST = 249;

export class TopicNames {
  /** The prefix of the names of all topics of the run. It is also the name of the group of its workers. */
  readonly prefix: string;
  private readonly used = new Set<string>();

  /** Throws MILLRACE_SPREAD for an id of a run that cannot be part of the name of a topic. */
  constructor(workflow: string, run: string) {
    if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(run)) {
      throw new MillraceError(
        'MILLRACE_SPREAD',
        `Expected the id of the run to have at most 64 letters, digits, '.', '_' and '-', and to start with a letter or digit, got '${run}'`,
      );
    }
    this.prefix = `millrace.${plain(workflow).slice(0, 80)}.${run}`;
  }

  /** A name of its own for this purpose. The same calls in the same order return the same names. */
  of(purpose: string): string {
    const wanted = `${this.prefix}.${plain(purpose)}`.slice(0, LONGEST - 4);
    let name = wanted;
    for (let n = 2; this.used.has(name); n++) name = `${wanted}-${n}`;
    this.used.add(name);
    return name;
  }
}

/** The text with each run of other characters than letters, digits, `_` and `-` replaced by `-`. */
function plain(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]+/g, '-');
}
