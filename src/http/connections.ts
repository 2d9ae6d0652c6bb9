import type { Server } from './instance.ts';

/** Between two lines in the log about the same thing. */
const tellEveryMs = 60_000;

/** Closes connections beyond so many as they come, and says so in the log. */
export function limitConnections(server: Server, max: number): void {
  let told = -Infinity;
  server.server.maxConnections = max;
  server.server.on('drop', () => {
    const now = performance.now();
    if (now - told < tellEveryMs) return;
    told = now;
    server.log.warn({ max }, 'connections are closed as they come: max_connections are open');
  });
}
