/**
 * The files of the dashboard, read once at the start.
 *
 * Guarantees: no path of a request ever reaches the file system.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Serves the built dashboard in `folder`; views of the page are paths that end in no file. */
export function servePages(app: FastifyInstance, folder: string): void {
  const names = existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => extname(name) in TYPES)
    : [];
  for (const name of names) {
    const plain = readFileSync(join(folder, name));
    const packed = gzipSync(plain, { level: 9 });
    const path = name.split(sep).join('/');
    const isPage = path === 'index.html';
    app.get(isPage ? '/' : `/${path}`, { config: { role: 'public' } }, (request, reply) => {
      const mayPack = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
      if (mayPack) reply.header('content-encoding', 'gzip');
      // The names of the other files have hashes of their contents.
      if (!isPage) reply.header('cache-control', 'public, max-age=31536000, immutable');
      return reply
        .header('vary', 'accept-encoding')
        .type(TYPES[extname(name)] as string)
        .send(mayPack ? packed : plain);
    });
  }
  if (names.length > 0) return;
  app.get('/', { config: { role: 'public' } }, (_, reply) =>
    reply.type('text/plain; charset=utf-8').send('The dashboard is not built: npm run build. The API is at /api/v1\n'),
  );
}
