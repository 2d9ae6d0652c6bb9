/** The server of a node that only reads: the published tree and its health, with no catalog behind it. */
import type { Reader } from '../app.ts';
import { AppError } from '../errors.ts';
import { publicKey } from '../publish/public-key.ts';
import type { Store } from '../store/store.ts';
import type { ServerCertificate } from './certificate.ts';
import type { Server } from './instance.ts';
import { Pairs } from './pairs.ts';
import { sendProblem } from './problem.ts';
import { contentRoutes } from './routes/content.ts';
import { observeCertificate, warningsOf } from './routes/operation.ts';
import { addHooks, newServer } from './server.ts';

/** For which an answer of the store is believed: as long as other nodes take to follow a change. */
const believedMs = 2_000;
/** Names that are asked for may be any: the oldest answers are forgotten. */
const maxNames = 1_000;

/** Whether repositories are public, as the store says. */
function publicInStore(store: Store): (repository: string) => Promise<boolean> {
  const known = new Map<string, { readonly at: number; readonly isPublic: boolean }>();
  return async (repository) => {
    const before = known.get(repository);
    if (before && performance.now() - before.at < believedMs) return before.isPublic;
    const file = await store.open(publicKey(repository));
    await file?.close();
    known.delete(repository);
    const [oldest] = known.keys();
    if (known.size >= maxNames && oldest !== undefined) known.delete(oldest);
    known.set(repository, { at: performance.now(), isPublic: file !== null });
    return file !== null;
  };
}

/** Private repositories need tokens, which are in the catalog: they are not served here. */
export function createReadServer(reader: Reader, certificate: ServerCertificate | null = null): Server {
  const server = newServer(reader, certificate);
  addHooks(server, reader);
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  server.setNotFoundHandler((request, reply) =>
    sendProblem(
      new AppError('not_found', `${request.method} ${request.url} is no call of a node that only reads.`),
      request,
      reply,
    ),
  );
  const isPublic = publicInStore(reader.store);
  const downloads = { count: () => undefined };
  contentRoutes(server, { ...reader, isPublic, downloads }, () => Promise.resolve({ kind: 'anonymous' }), {
    pairs: new Pairs(reader.store),
    hot: null,
  });
  server.get('/healthz', () => ({ status: 'ok' }));
  server.get('/readyz', async () => {
    try {
      await reader.checkReady();
    } catch (cause) {
      throw new AppError('unavailable', 'The store cannot be used.', undefined, { cause });
    }
    return { status: 'ok', ...warningsOf(certificate) };
  });
  server.get('/metrics', async (_request, reply) => {
    observeCertificate(reader, certificate);
    const { type, text } = await reader.metrics.render();
    return await reply.type(type).send(text);
  });
  return server;
}
