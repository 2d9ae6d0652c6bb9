/** The Fastify server: what every request passes, and the routes. */
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyHttpOptions,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { App } from '../app.ts';
import { AppError } from '../errors.ts';
import { createId } from '../ids.ts';
import { version } from '../version.ts';
import { finishHandlers } from './busy.ts';
import type { ServerCertificate } from './certificate.ts';
import { createIdentification, type Identify } from './identify.ts';
import { HotFiles } from './hot-files.ts';
import { Lingering } from './linger.ts';
import type { Server } from './instance.ts';
import { endSlowBodies } from './body-deadline.ts';
import { limitConnections } from './connections.ts';
import { acceptForms } from './forms.ts';
import { MaxUploads } from './max-uploads.ts';
import { Pairs } from './pairs.ts';
import { sendProblemPage, wantsPage } from './problem-page.ts';
import { sendProblem } from './problem.ts';
import { changeRoutes } from './routes/changes.ts';
import { channelRoutes } from './routes/channels.ts';
import { collectionRoutes } from './routes/collections.ts';
import { connectionRoute } from './routes/connection.ts';
import { contentRoutes } from './routes/content.ts';
import { documentRoutes } from './routes/documents.ts';
import { doingRoutes } from './routes/doing.ts';
import { feedRoutes } from './routes/feeds.ts';
import { iconRoute } from './routes/icon.ts';
import { operationRoutes } from './routes/operation.ts';
import { packageRoutes } from './routes/packages.ts';
import { pinRoutes } from './routes/pins.ts';
import { pageRoutes } from './routes/pages.ts';
import { repositoryRoutes } from './routes/repositories.ts';
import { signInRoutes } from './routes/sign-in.ts';
import { webhookPageRoutes, webhookRoutes } from './routes/webhooks.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { closeWithin } from './stop.ts';

/** How long a client may go on sending after its upload was refused. */
const lingerMs = 10_000;

type HttpServer = Server['server'];

/** What Fastify sets on a server that it makes by itself. */
function httpsServer(
  certificate: ServerCertificate,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  options: ServerOptions,
): HttpServer {
  const server = certificate.createServer(handler, options);
  server.keepAliveTimeout = options.keepAliveTimeout ?? server.keepAliveTimeout;
  server.requestTimeout = 0;
  return server;
}

/** `certificate`: null where a proxy ends TLS. */
export function newServer(
  app: Pick<App, 'log' | 'clock' | 'config'>,
  certificate: ServerCertificate | null,
): Server {
  const loggerInstance: FastifyBaseLogger = app.log;
  const { http } = app.config;
  const { keepAliveTimeoutMs: keepAliveTimeout, headersTimeoutMs: headersTimeout } = http;
  // Node looks at half a minute's distance by itself, which would be the shortest time.
  const connectionsCheckingInterval = Math.min(headersTimeout, 30_000);
  const connections: ServerOptions = { keepAliveTimeout, headersTimeout, connectionsCheckingInterval };
  const options: FastifyHttpOptions<HttpServer> = {
    ...(certificate
      ? { serverFactory: (handler) => httpsServer(certificate, handler, connections) }
      : { http: connections }),
    loggerInstance,
    // JSON bodies are settings and lists of digests; packages do not come this way.
    bodyLimit: http.maxRequestBytes,
    keepAliveTimeout,
    // Uploads of gigabytes over slow links: silence ends them (upload_idle_timeout), not their length.
    requestTimeout: 0,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: app.config.trustedProxies.length > 0 ? [...app.config.trustedProxies] : false,
    genReqId: () => createId(app.clock.now()),
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 1024 },
    forceCloseConnections: 'idle',
    // What fails before any route or hook is reached, as a path that is not UTF-8.
    frameworkErrors: (error, request, reply) => {
      void sendProblem(error, request, reply);
    },
  };
  const server = fastify(options).withTypeProvider<ZodTypeProvider>();
  limitConnections(server, http.maxConnections);
  closeWithin(server, http.stopGraceMs);
  return server;
}

/**
 * Without this, Node itself says "100 Continue" to whoever asks with `Expect`. An upload is told to go on once it
 * is admitted (uploads.ts); every other body is small and is asked for before it is read.
 */
function answerExpect(server: Server): void {
  server.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    server.server.emit('request', request, response);
  });
}

const swaggerOptions: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Entrepot',
      version,
      description:
        'Signed apt and yum repositories: upload packages, publish them, say where they came from.',
    },
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic', description: 'The token as the password; any user name.' },
      },
    },
    security: [{ bearer: [] }, { basic: [] }],
  },
  transform: jsonSchemaTransform,
  transformObject: jsonSchemaTransformObject,
};

/** Every answer names its request; every request is counted, and logged when asked for. */
export function addHooks(server: Server, app: Pick<App, 'metrics'>): void {
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { method, url, id, ip } = request;
    const { statusCode, elapsedTime } = reply;
    request.log.debug(
      { requestId: id, method, url, ip, status: statusCode, ms: Math.round(elapsedTime) },
      'request',
    );
    app.metrics.countRequest(request.routeOptions.url ?? 'none', method, statusCode, elapsedTime);
    done();
  });
}

/** What is in memory is sent before anything else looks at the request; a server that is closing says so. */
function answerHot({ server }: Server, hot: HotFiles): void {
  const others = server.listeners('request');
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (server.listening && hot.answer(request, response)) return;
    for (const answer of others) answer.call(server, request, response);
  });
}

/** Errors as pages for people with a browser, as problem details for programs. */
function answerProblems(server: Server, app: App, identify: Identify): void {
  const answer = async (
    error: unknown,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> =>
    wantsPage(request)
      ? await sendProblemPage({ app, identify }, error, request, reply)
      : sendProblem(error, request, reply);
  server.setErrorHandler(answer);
  server.setNotFoundHandler((request, reply) =>
    answer(
      new AppError('not_found', `${request.method} ${request.url} is no call of this server.`),
      request,
      reply,
    ),
  );
}

export async function createServer(app: App, certificate: ServerCertificate | null = null): Promise<Server> {
  const server = newServer(app, certificate);
  answerExpect(server);
  finishHandlers(server);
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  addHooks(server, app);
  await server.register(helmet, { global: false });
  await server.register(rateLimit, { global: false });
  await server.register(swagger, swaggerOptions);
  const identification = createIdentification(server, app);
  const { identify, identifyPerson } = identification;
  answerProblems(server, app, identifyPerson);
  const lingering = new Lingering(server, Math.min(lingerMs, app.receiveLimits.idleMs));
  const { maxUploads, requestTimeoutMs } = app.config.http;
  const uploading = new MaxUploads(maxUploads);
  await server.register((api, _options, done) => {
    endSlowBodies(api.withTypeProvider<ZodTypeProvider>(), requestTimeoutMs);
    const typed = api.withTypeProvider<ZodTypeProvider>();
    api.addHook('preParsing', (request, reply, _payload, next) => {
      if (request.headers.expect !== undefined) reply.raw.writeContinue();
      next();
    });
    repositoryRoutes(typed, app, identify);
    channelRoutes(typed, app, identify);
    packageRoutes(typed, app, identify);
    changeRoutes(typed, app, identify);
    pinRoutes(typed, app, identify);
    webhookRoutes(typed, app, identify);
    operationRoutes(typed, app, { identifyPerson, certificate });
    connectionRoute(typed);
    collectionRoutes(typed, app, identify);
    done();
  });
  await server.register((uploads, _options, done) => {
    uploads.addHook('onRequest', (request, reply, next) => {
      lingering.watch(request, reply);
      next();
    });
    uploading.watch(uploads.withTypeProvider<ZodTypeProvider>());
    uploadRoutes(uploads.withTypeProvider<ZodTypeProvider>(), app, identify);
    done();
  });
  await server.register((documents, _options, done) => {
    documents.addHook('onRequest', (request, reply, next) => {
      lingering.watch(request, reply);
      next();
    });
    uploading.watch(documents.withTypeProvider<ZodTypeProvider>());
    documentRoutes(documents.withTypeProvider<ZodTypeProvider>(), app, identify);
    done();
  });
  const isPublic = (repository: string): boolean => app.visibility.isPublic(repository);
  const pairs = new Pairs(app.store);
  const hot = new HotFiles(app, pairs);
  contentRoutes(server, { ...app, isPublic }, identifyPerson, { pairs, hot });
  answerHot(server, hot);
  iconRoute(server);
  pageRoutes(server, app, identifyPerson);
  feedRoutes(server, app, identifyPerson);
  await server.register((forms, _options, done) => {
    acceptForms(forms);
    endSlowBodies(forms.withTypeProvider<ZodTypeProvider>(), requestTimeoutMs);
    signInRoutes(forms, app, identification);
    webhookPageRoutes(forms.withTypeProvider<ZodTypeProvider>(), app, identification);
    doingRoutes(forms.withTypeProvider<ZodTypeProvider>(), app, identification);
    done();
  });
  return server;
}

/** The base URL for an address that a server listens on. */
export function baseUrl(host: string, port: number, scheme: 'http' | 'https'): string {
  const shown = host === '0.0.0.0' || host === '127.0.0.1' || host === '::' ? 'localhost' : host;
  return `${scheme}://${isIPv6(shown) ? `[${shown}]` : shown}:${port}`;
}
