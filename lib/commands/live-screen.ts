/**
 * A few lines at the bottom of a terminal that are redrawn in place.
 *
 * Guarantees: printed lines appear above them and stay; a terminal that becomes narrower shows no remains of earlier
 * frames; each drawing is one write, so nothing flickers.
 */
import { stripVTControlCharacters } from 'node:util';
import { widthOf } from '../text/printable.js';

/** The part of `process.stderr` that is used. */
export interface Terminal {
  write(text: string): void;
  readonly columns: number;
  readonly rows: number;
}

const ERASE_BELOW = '\u001b[J';
const up = (rows: number): string => (rows > 0 ? `\u001b[${rows}A` : '');

export class LiveScreen {
  private readonly terminal: Terminal;
  private drawn: readonly string[] = [];
  private drawnColumns = 0;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  /** Draws these lines in place of the previous ones. */
  draw(lines: readonly string[]): void {
    const isSame =
      this.drawnColumns === this.terminal.columns &&
      lines.length === this.drawn.length &&
      lines.every((line, index) => line === this.drawn[index]);
    if (isSame) return;
    this.terminal.write(this.erasing() + textOf(lines));
    this.drawn = lines;
    this.drawnColumns = this.terminal.columns;
  }

  /** Prints whole lines above the drawn ones. */
  print(lines: string): void {
    this.terminal.write(this.erasing() + lines + textOf(this.drawn));
    this.drawnColumns = this.terminal.columns;
  }

  /** Removes the drawn lines. */
  clear(): void {
    this.terminal.write(this.erasing());
    this.drawn = [];
  }

  /**
   * Moves to the first drawn row and erases from there. A terminal that became narrower has wrapped long lines into
   * several rows.
   */
  private erasing(): string {
    if (this.drawn.length === 0) return '';
    const columns = Math.max(1, this.terminal.columns);
    const rows = this.drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(widthOf(stripVTControlCharacters(line)) / columns)),
      0,
    );
    return `\r${up(Math.min(rows, Math.max(0, this.terminal.rows - 1)))}${ERASE_BELOW}`;
  }
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
