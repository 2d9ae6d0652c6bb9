/**
 * The certificate that this server shows, where it ends TLS itself: read at the start, and again when its files have
 * changed. Connections that are open go on with the one that they began with.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import { createServer, type Server as HttpsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../logger.ts';

export type CertificatePlace = NonNullable<Config['tls']>;

export type CertificatePair = {
  /** PEM: the server's own certificate first, then those that lead to a root. */
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly leaf: X509Certificate;
};

/** Renewal tools write the two files one after the other, and rarely. */
const lookEveryMs = 60_000;
/** From when on an operator is told: certbot renews a month before the end, so that something has failed by then. */
const warnMs = 14 * 86_400_000;

/**
 * Reads a certificate and its key. Throws `tls_unreadable`, `tls_mismatch` or `tls_expired`: what is wrong with them
 * before any client meets it.
 */
export function readCertificate({ certificate, key }: CertificatePlace, now: number): CertificatePair {
  const cert = readPem(certificate);
  const keyPem = readPem(key);
  const leaf = parsed(() => new X509Certificate(cert), `${certificate} holds no certificate in PEM.`);
  const privateKey = parsed(
    () => createPrivateKey(keyPem),
    `${key} holds no private key in PEM, or one with a passphrase.`,
  );
  if (!leaf.checkPrivateKey(privateKey))
    throw new AppError('tls_mismatch', `The key in ${key} is not that of the certificate in ${certificate}.`);
  if (now >= leaf.validToDate.getTime())
    throw new AppError('tls_expired', `The certificate in ${certificate} expired on ${leaf.validTo}.`);
  if (now < leaf.validFromDate.getTime())
    throw new AppError(
      'tls_expired',
      `The certificate in ${certificate} is not valid before ${leaf.validFrom}.`,
    );
  const pair = { cert, key: keyPem, leaf };
  // What comes after the first certificate, and what OpenSSL takes for too weak.
  parsed(() => createSecureContext(pair), `OpenSSL does not take ${certificate} with ${key}.`);
  return pair;
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new AppError('tls_unreadable', `${(cause as Error).message}.`, undefined, { cause });
  }
}

function parsed<T>(parse: () => T, otherwise: string): T {
  try {
    return parse();
  } catch (cause) {
    throw new AppError('tls_unreadable', `${otherwise} (${(cause as Error).message})`, undefined, { cause });
  }
}

/** When it ends, for somebody who has to renew it; null while there is time. */
export function expiryWarning({ leaf }: Pick<CertificatePair, 'leaf'>, now: number): string | null {
  const leftMs = leaf.validToDate.getTime() - now;
  if (leftMs > warnMs) return null;
  return leftMs > 0
    ? `The TLS certificate expires on ${leaf.validTo}.`
    : `The TLS certificate expired on ${leaf.validTo}.`;
}

type Deps = { readonly place: CertificatePlace; readonly clock: Clock; readonly log: Logger };

export class ServerCertificate {
  readonly #deps: Deps;
  readonly #servers: HttpsServer[] = [];
  #pair: CertificatePair;
  /** What stood in the files at the last look that failed, and whether it was told. */
  #failed: { readonly problem: string; told: boolean } | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** Throws what readCertificate throws. */
  constructor(deps: Deps) {
    this.#deps = deps;
    this.#pair = readCertificate(deps.place, deps.clock.now());
  }

  get validUntilMs(): number {
    return this.#pair.leaf.validToDate.getTime();
  }

  get warning(): string | null {
    return expiryWarning(this.#pair, this.#deps.clock.now());
  }

  /** A server that shows the certificate of the moment to each client that connects. */
  createServer(
    handler: (request: IncomingMessage, response: ServerResponse) => void,
    options: ServerOptions,
  ): HttpsServer {
    const { cert, key } = this.#pair;
    const server = createServer({ ...options, cert, key }, handler);
    this.#servers.push(server);
    return server;
  }

  /** Looks every minute until `stop`. */
  start(): void {
    const { warning } = this;
    if (warning !== null) this.#deps.log.warn(warning);
    this.#timer = setInterval(() => this.look(), lookEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * Takes the files up when they have changed. One that cannot be used changes nothing and is logged, at the first
   * look if `now` is set: between two writes of a renewal the files do not fit, and at the next look they do.
   */
  look({ now = false }: { now?: boolean } = {}): void {
    const { place, clock, log } = this.#deps;
    let pair: CertificatePair;
    try {
      pair = readCertificate(place, clock.now());
    } catch (error) {
      this.#tell(error, now);
      return;
    }
    this.#failed = null;
    if (pair.cert.equals(this.#pair.cert) && pair.key.equals(this.#pair.key)) return;
    this.#pair = pair;
    const { cert, key } = pair;
    for (const server of this.#servers) server.setSecureContext({ cert, key });
    log.info({ validUntil: pair.leaf.validTo }, 'the renewed TLS certificate is shown from now on');
  }

  #tell(error: unknown, now: boolean): void {
    const problem = (error as Error).message;
    const before = this.#failed?.problem === problem ? this.#failed : null;
    const tell = now || before?.told === false;
    if (tell) this.#deps.log.error({ err: error }, 'the TLS files cannot be used; the old certificate stays');
    this.#failed = { problem, told: tell || before?.told === true };
  }
}
