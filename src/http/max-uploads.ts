import { AppError } from '../errors.ts';
import type { Server } from './instance.ts';

/**
 * Refuses uploads beyond so many at once with `too_many_uploads`. Who may not upload is refused before a body is
 * asked for, and takes nobody's place for longer.
 */
export class MaxUploads {
  readonly #max: number;
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts the requests with a body to the routes that are added to `server` from now on. */
  watch(server: Server): void {
    server.addHook('onRequest', (request, reply, done) => {
      if (request.method !== 'PUT') {
        done();
        return;
      }
      if (this.#running >= this.#max) {
        done(new AppError('too_many_uploads', `${this.#max} uploads are under way.`));
        return;
      }
      this.#running++;
      reply.raw.once('close', () => this.#running--);
      done();
    });
  }
}
