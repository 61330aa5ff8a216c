/** The deployment notes of the guide: the unit and the container file are checked as far as this machine can. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { serveCommand } from '#lib/commands/serve.js';

const root = new URL('../../../', import.meta.url);
const guide = readFileSync(new URL('docs/serve.md', root), 'utf8');
const bin = (JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { bin: { millrace: string } }).bin;
const script = `node_modules/millrace/${bin.millrace.replace(/^\.\//, '')}`;

function block(language: string): string {
  return new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(guide)?.[1] ?? '';
}

/** The names of options among these words. */
function optionsIn(words: readonly string[]): readonly string[] {
  return words.filter((word) => word.startsWith('--')).map((word) => word.slice(2));
}

const known = Object.keys(serveCommand.options);
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('the deployment notes', () => {
  it('have a unit that starts the script of the package with known options, and leaves runs at work', () => {
    const unit = block('ini');
    const [, line = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    const words = line.split(' ');
    expect(words.slice(1, 3)).toEqual([script, 'serve']);
    for (const name of optionsIn(words)) expect(known).toContain(name);
    expect(unit).toContain('\nKillMode=process\n');
  });

  (hasSystemd ? it : it.skip)('have a unit in which systemd finds no mistake', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-unit-'));
    const path = join(folder, 'millrace.service');
    // This machine has neither the user nor Node at this place.
    const unit = block('ini')
      .replace('/usr/bin/node', process.execPath)
      .replace(/^User=.*\n/m, '');
    writeFileSync(path, unit);
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect([status, stderr.split('\n').filter((line) => line.includes('millrace.service'))]).toEqual([0, []]);
  });

  it('have a container file that starts the script of the package with known options', () => {
    const instructions = block('dockerfile').trim().split('\n');
    const names = instructions.map((line) => line.split(' ')[0]);
    for (const name of names) {
      expect(['FROM', 'WORKDIR', 'COPY', 'RUN', 'USER', 'VOLUME', 'EXPOSE', 'ENTRYPOINT', 'CMD']).toContain(name);
    }
    const words = (name: string): string[] => {
      const line = instructions.find((one) => one.startsWith(`${name} [`)) ?? '';
      return JSON.parse(line.slice(name.length)) as string[];
    };
    expect(words('ENTRYPOINT')).toEqual(['node', script]);
    expect(words('CMD')[0]).toBe('serve');
    for (const name of optionsIn(words('CMD'))) expect(known).toContain(name);
    expect(instructions).toContain('EXPOSE 4747');
  });
});
