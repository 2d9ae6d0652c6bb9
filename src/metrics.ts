/** What Prometheus reads. The names are documented in docs/operating.md. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Histogram({
    name: 'entrepot_http_request_seconds',
    help: 'Time from the request to the end of its answer',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60],
    registers: [this.#registry],
  });
  readonly #uploads = new Counter({
    name: 'entrepot_uploads_total',
    help: 'Uploads by their outcome: created, unchanged, or the code of the error',
    labelNames: ['outcome'],
    registers: [this.#registry],
  });
  readonly #publications = new Histogram({
    name: 'entrepot_publication_seconds',
    help: 'Time of a publishing round, from the pending changes to the visible generation',
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers: [this.#registry],
  });
  /** Made when there is something to tell: a zero would be a channel or a certificate that ended in 1970. */
  #validUntil: Gauge | undefined;
  #certificate: Gauge | undefined;

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  countRequest(route: string, method: string, status: number, elapsedMs: number): void {
    this.#requests.observe({ route, method, status: String(status) }, elapsedMs / 1000);
  }

  countUpload(outcome: string): void {
    this.#uploads.inc({ outcome });
  }

  countPublication(elapsedMs: number): void {
    this.#publications.observe(elapsedMs / 1000);
  }

  /** Of all channels together: names of private repositories are not for everyone who reads metrics. */
  setValidUntil(seconds: number): void {
    this.#validUntil ??= new Gauge({
      name: 'entrepot_valid_until_seconds',
      help: 'When the first apt channel expires unless it is signed again, in seconds since 1970',
      registers: [this.#registry],
    });
    this.#validUntil.set(seconds);
  }

  setCertificateValidUntil(seconds: number): void {
    this.#certificate ??= new Gauge({
      name: 'entrepot_tls_valid_until_seconds',
      help: 'When the TLS certificate of this server expires, in seconds since 1970',
      registers: [this.#registry],
    });
    this.#certificate.set(seconds);
  }

  /** The text that Prometheus reads, and its media type. */
  async render(): Promise<{ type: string; text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
