/**
 * What arrives after a refusal is read and dropped for a while, or a client that looks at the answer only after
 * its last byte would find a broken connection in its place; then the connection is closed.
 */
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Server } from './instance.ts';

export class Lingering {
  readonly #ms: number;
  readonly #timers = new WeakMap<Socket, NodeJS.Timeout>();

  /** `ms`: how long a client that is still sending may go on after its answer. */
  constructor(server: Server, ms: number) {
    this.#ms = ms;
    // Another request on the connection: the body before it has come to its end.
    server.addHook('onRequest', (request, _reply, done) => {
      clearTimeout(this.#timers.get(request.raw.socket));
      done();
    });
  }

  /** To be called before the body is read: a stream that fails forgets its socket. */
  watch(request: FastifyRequest, reply: FastifyReply): void {
    const { socket } = request.raw;
    reply.raw.once('finish', () => {
      if (request.raw.complete) return;
      const close = (): void => {
        socket.destroy();
      };
      this.#timers.set(socket, setTimeout(close, this.#ms).unref());
    });
  }
}
