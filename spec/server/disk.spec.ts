import { expect, it } from '@jest/globals';
import { diskObstacle } from '#lib/server/disk.js';

const free = (bytes: number): Parameters<typeof diskObstacle>[1] =>
  (() => ({ bavail: bytes / 4096, bsize: 4096 })) as unknown as Parameters<typeof diskObstacle>[1];

it('no run starts while the disk is nearly full, and the reason has the free space', () => {
  expect(diskObstacle('x', free(256 * 2 ** 20))).toBe('');
  expect(diskObstacle('x', free(12 * 2 ** 20))).toContain('it has 12 MB');
  expect(diskObstacle('/no such folder')).toBe('');
});
