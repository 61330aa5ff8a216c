/** An input of a boundary. A class, because an object with a getter of its own has another shape in each run. */
import type { RootLedger } from '../../ledger/ledger.js';
import type { InputEdge } from '../../stream/task-scope.js';
import type { RunServices } from './services.js';
import type { WiredExit } from './wired-roots.js';

export interface WiredEdgeParts extends WiredExit, Pick<InputEdge, 'from' | 'descent' | 'stop'> {
  readonly services: Pick<RunServices, 'numberingOf'>;
}

export class WiredEdge implements InputEdge {
  readonly from: string;
  readonly root: RootLedger;
  readonly exit: number;
  readonly descent: ReadonlySet<RootLedger>;
  readonly stop: () => void;
  private readonly services: Pick<RunServices, 'numberingOf'>;

  constructor({ from, root, exit, descent, stop, services }: WiredEdgeParts) {
    this.from = from;
    this.root = root;
    this.exit = exit;
    this.descent = descent;
    this.stop = stop;
    this.services = services;
  }

  get numbering(): string {
    return this.services.numberingOf(this.root.name);
  }
}
