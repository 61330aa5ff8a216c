/** The live frame on a small terminal that does what terminals do: fold lines, move up, erase. */
import { describe, expect, it } from '@jest/globals';
import { LiveScreen } from '#lib/commands/live-screen.js';
import { captureWrites } from '#lib/commands/capture-writes.js';

/** Enough of a terminal: rows that fold anew when the width changes, and the three escapes the screen uses. */
class SmallTerminal {
  columns = 20;
  rows = 10;
  writes = 0;
  private lines: string[] = [''];

  write(text: string): void {
    this.writes += 1;
    const tokens = text.match(/\u001b\[\d*[AJ]|\r|\n|[^\u001b\r\n]+/g) ?? [];
    for (const token of tokens) this.take(token);
  }

  /** What stands on the terminal, without the line the cursor is on. */
  get shown(): string[] {
    return this.lines.slice(0, -1);
  }

  private take(token: string): void {
    const up = /^\u001b\[(\d+)A$/.exec(token)?.[1];
    if (up !== undefined) {
      // The cursor stands behind the last line: it goes up by folded rows.
      let rows = Number(up);
      while (rows > 0) rows -= Math.max(1, Math.ceil((this.lines.at(-2) ?? '').length / this.columns)) + this.drop();
      if (rows < 0) this.lines.splice(-1, 0, '(torn)');
    } else if (token === '\n') this.lines.push('');
    else if (token !== '\r' && !token.startsWith('\u001b')) this.lines.push(`${this.lines.pop() ?? ''}${token}`);
  }

  /** The screen always erases what it went up over, so a line gone over is a line gone. */
  private drop(): number {
    this.lines.splice(-2, 1);
    return 0;
  }
}

describe('the live screen', () => {
  it('draws over what it drew, in one write, and not at all where nothing changed', () => {
    const terminal = new SmallTerminal();
    const screen = new LiveScreen(terminal);
    screen.draw(['a', 'b']);
    screen.draw(['a', 'c', 'd']);
    screen.draw(['a', 'c', 'd']);
    expect([terminal.shown, terminal.writes]).toEqual([['a', 'c', 'd'], 2]);
    screen.draw(['e']);
    expect(terminal.shown).toEqual(['e']);
    screen.clear();
    expect(terminal.shown).toEqual([]);
  });

  it('prints above the frame, and what is printed stays', () => {
    const terminal = new SmallTerminal();
    const screen = new LiveScreen(terminal);
    screen.draw(['frame']);
    screen.print('one\ntwo\n');
    screen.draw(['next frame']);
    screen.print('three\n');
    screen.clear();
    expect(terminal.shown).toEqual(['one', 'two', 'three']);
  });

  it('leaves no rest of a frame that a narrower terminal has folded', () => {
    const terminal = new SmallTerminal();
    const screen = new LiveScreen(terminal);
    screen.print('stays\n');
    screen.draw(['x'.repeat(20), 'y']);
    terminal.columns = 7;
    screen.draw(['small']);
    expect(terminal.shown).toEqual(['stays', 'small']);
  });
});

describe('a stream that was taken over', () => {
  it('hands over whole lines in order, calls back, and is given back with the rest', async () => {
    const real: string[] = [];
    const write = (chunk: string | Uint8Array): boolean => real.push(String(chunk)) > 0;
    const stream = { write };
    const lines: string[] = [];
    const taken = captureWrites(stream, (text) => lines.push(text));
    stream.write('a');
    stream.write(Buffer.from('b\nc\nhalf '));
    const euro = Buffer.from('€');
    stream.write(euro.subarray(0, 1));
    stream.write(euro.subarray(1));
    await new Promise<void>((resolve) =>
      (stream as NodeJS.WritableStream).write('!', () => {
        resolve();
      }),
    );
    taken.write('past it');
    expect(lines).toEqual(['ab\nc\n']);
    taken.release();
    expect(lines).toEqual(['ab\nc\n', 'half €!\n']);
    expect([real, stream.write === write]).toEqual([['past it'], true]);
  });
});
