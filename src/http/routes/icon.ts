/** The picture that browsers ask for by this name, whatever a page says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Server } from '../instance.ts';

const icon = readFileSync(join(import.meta.dirname, '../../web/assets/icon.svg'));

export function iconRoute(server: Server): void {
  server.get('/favicon.ico', { schema: { hide: true } }, (_request, reply) =>
    reply
      .type('image/svg+xml')
      .header('cache-control', 'public, max-age=86400')
      .header('x-content-type-options', 'nosniff')
      .send(icon),
  );
}
