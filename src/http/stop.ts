/** The end of a server: what changes something comes to its end, what only reads gets a while. */
import type { Socket } from 'node:net';
import type { Server } from './instance.ts';

/**
 * After `close` was asked for and the last request that may change something was answered, connections have `graceMs`
 * more; then they are closed. A client that does not read would keep the server up for ever, and one that downloads
 * goes on elsewhere, or later, from where it was.
 */
export function closeWithin(server: Server, graceMs: number): void {
  const sockets = new Set<Socket>();
  let changing = 0;
  let isClosing = false;
  let timer: NodeJS.Timeout | undefined;
  const closeAll = (): void => {
    server.server.closeAllConnections();
    // Those of the second address that a name like localhost may have are not known to the first one's server.
    for (const socket of sockets) socket.destroy();
  };
  const begin = (): void => {
    if (isClosing && changing === 0) timer ??= setTimeout(closeAll, graceMs);
  };
  server.addHook('onRequest', (request, reply, done) => {
    const { socket, method } = request.raw;
    if (!sockets.has(socket)) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    if (method !== 'GET' && method !== 'HEAD') {
      changing++;
      reply.raw.once('close', () => {
        changing--;
        begin();
      });
    }
    done();
  });
  server.addHook('preClose', (done) => {
    isClosing = true;
    begin();
    done();
  });
  server.addHook('onClose', (_server, done) => {
    clearTimeout(timer);
    done();
  });
}
