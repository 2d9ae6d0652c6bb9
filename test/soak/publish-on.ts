/** A busy team: something is published about every 300 ms, of every kind that there is. */
import { randomFrom } from '../random.ts';
import { debSample, rpmSample } from '../packages.ts';
import type { TestServer } from '../server.ts';

const everyMs = 300;

/** Packages that take turns; each upload is the next version of one. */
const names = 24;

const formats = { apt: ['stable', 'production'], yum: ['stable-rpm', 'production-rpm'] } as const;
type Format = keyof typeof formats;

export type Team = {
  /** What was done, by what it was. */
  readonly done: Readonly<Record<string, number>>;
  readonly stop: () => Promise<void>;
};

class Work {
  readonly done: Record<string, number> = {};
  readonly #server: TestServer;
  readonly #random = randomFrom(1);
  readonly #held: Record<Format, { name: string; version: string }[]> = { apt: [], yum: [] };
  #next = 0;

  constructor(server: TestServer) {
    this.#server = server;
  }

  async turn(): Promise<void> {
    const format = this.#random() < 0.5 ? 'apt' : 'yum';
    const [channel, production] = formats[format];
    const kind = this.#random();
    if (kind < 0.55 || this.#held[format].length < 5) await this.#upload(format, channel);
    else if (kind < 0.68)
      await this.#post('promote', 'promotions', { from: channel, to: production, exact: true, force: true });
    else if (kind < 0.92) await this.#yank(format, channel);
    else if (kind < 0.97) await this.#goBack(production);
    else
      await this.#send('settings', `channels/${production}`, 'PUT', {
        format,
        description: `Turn ${this.#next}`,
      });
  }

  #count(what: string): void {
    this.done[what] = (this.done[what] ?? 0) + 1;
  }

  async #upload(format: Format, channel: string): Promise<void> {
    const number = this.#next++;
    const name = `package-${number % names}`;
    const version = `1.${number}-1`;
    const { filename, bytes } = (format === 'apt' ? debSample : rpmSample)(name, { version });
    const response = await this.#server.upload(channel, filename, bytes);
    if (response.status !== 201) throw new Error(`${filename}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
    this.#held[format].push({ name, version: format === 'apt' ? version : `0:${version}` });
    this.#count(`${format} upload`);
  }

  /** The oldest, so that the channel stays about as large as it is. */
  async #yank(format: Format, channel: string): Promise<void> {
    const { name, version } = this.#held[format].shift() ?? { name: '', version: '' };
    const architecture = format === 'apt' ? 'amd64' : 'x86_64';
    const path = [name, version, architecture].map(encodeURIComponent).join('/');
    await this.#send('yank', `channels/${channel}/packages/${path}`, 'DELETE');
  }

  /** To the generation before. */
  async #goBack(channel: string): Promise<void> {
    const base = `/api/v1/repositories/main/channels/${channel}`;
    const response = await this.#server.api(`${base}/generations?limit=2`);
    const { generations } = (await response.json()) as { generations: { generation: number }[] };
    const generation = generations.at(-1)?.generation ?? 1;
    await this.#post('rollback', `channels/${channel}/rollback`, { generation, force: true });
  }

  async #post(what: string, path: string, body: object): Promise<void> {
    await this.#send(what, path, 'POST', body);
  }

  async #send(what: string, path: string, method: string, body?: object): Promise<void> {
    const init = { method, ...(body && { body: JSON.stringify(body) }) };
    const response = await this.#server.api(`/api/v1/repositories/main/${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    this.#count(what);
  }
}

/** Starts work; what fails there is told by `fail`. */
export function startTeam(server: TestServer, fail: (error: Error) => void): Team {
  const work = new Work(server);
  const stopping = new AbortController();
  const running = (async () => {
    let next = performance.now();
    while (!stopping.signal.aborted) {
      await work.turn().catch((error: unknown) => fail(error as Error));
      next = Math.max(next + everyMs, performance.now());
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
    }
  })();
  return {
    done: work.done,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
