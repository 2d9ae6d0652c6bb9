import type { Server } from './instance.ts';

/**
 * Waits, when the server is closed, for handlers that still run. A connection that is gone says nothing of what was
 * begun for it: an upload whose client went away after its last byte is being recorded.
 */
export function finishHandlers(server: Server): void {
  const running = new Set<Promise<unknown>>();
  server.addHook('onRoute', (route) => {
    const { handler } = route;
    route.handler = function (request, reply) {
      const result: unknown = handler.call(this, request, reply);
      if (result instanceof Promise) {
        const ended = result.catch(() => undefined).finally(() => running.delete(ended));
        running.add(ended);
      }
      return result;
    };
  });
  server.addHook('onClose', async () => {
    while (running.size > 0) await Promise.all(running);
  });
}
