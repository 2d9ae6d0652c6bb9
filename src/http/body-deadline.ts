import type { Server } from './instance.ts';

/**
 * Closes connections whose body does not arrive in time: for calls whose body is small and kept in memory. Uploads
 * have no such limit, because silence ends them (upload_idle_timeout).
 */
export function endSlowBodies(server: Server, timeoutMs: number): void {
  server.addHook('preParsing', (request, _reply, _payload, next) => {
    const { raw } = request;
    if (!raw.complete && raw.method !== 'GET' && raw.method !== 'HEAD') {
      const end = (): void => {
        raw.destroy(new Error(`The body did not arrive in ${timeoutMs / 1000} s.`));
      };
      // A request that is refused before its body is read may never say that it is over: nothing waits for that.
      const timer = setTimeout(end, timeoutMs).unref();
      for (const event of ['end', 'close']) raw.once(event, () => clearTimeout(timer));
    }
    next();
  });
}
