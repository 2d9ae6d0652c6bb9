/** Many uploaders at once, and what clients found at the moment of each answer. */
import type { Receipt } from '../src/registry/upload-package.ts';
import type { Sample } from './packages.ts';
import { readApt, readFrom, readYum, type Read } from './served.ts';
import { Uploader } from './uploader.ts';

const kinds = {
  apt: {
    read: readApt,
    pointer: (channel: string): string => `apt/main/dists/${channel}/InRelease`,
  },
  yum: {
    read: readYum,
    pointer: (channel: string): string => `yum/main/${channel}/repodata/repomd.xml`,
  },
} as const;

export type Target = {
  readonly url: string;
  readonly token: string;
  readonly format: 'apt' | 'yum';
  readonly channel: string;
};

/**
 * Notes which pointer is served once an answer has arrived. A read that begins after the answer serves all who
 * come until it begins; the indexes that the pointers name are looked at in the end.
 */
class Witness {
  readonly #target: Target;
  readonly #read: Read;
  readonly #notes: Promise<{ sha256: string; pointer: Buffer }>[] = [];
  #reading: Promise<unknown> = Promise.resolve();
  #next: Promise<Buffer> | null = null;

  constructor(target: Target) {
    this.#target = target;
    this.#read = readFrom(target.url);
  }

  note(sha256: string): void {
    this.#notes.push(this.#look().then((pointer) => ({ sha256, pointer })));
  }

  #look(): Promise<Buffer> {
    this.#next ??= this.#reading.then(() => {
      this.#next = null;
      const { format, channel } = this.#target;
      const reading = this.#read(kinds[format].pointer(channel));
      this.#reading = reading;
      return reading;
    });
    return this.#next;
  }

  /** Digests of packages that were not in the index that was served when their answer had arrived. */
  async missing(): Promise<string[]> {
    const { format, channel } = this.#target;
    const kind = kinds[format];
    const missing: string[] = [];
    const groups = Map.groupBy(await Promise.all(this.#notes), ({ pointer }) => pointer.toString());
    for (const [pointer, notes] of groups) {
      const asThen: Read = async (path) =>
        path === kind.pointer(channel) ? Buffer.from(pointer) : await this.#read(path);
      const served = new Set((await kind.read(asThen, 'main', channel)).map(({ sha256 }) => sha256));
      missing.push(...notes.map(({ sha256 }) => sha256).filter((sha256) => !served.has(sha256)));
    }
    return missing;
  }
}

export type Flood = {
  readonly wallMs: number;
  /** Of answers that were no 201. */
  readonly refused: readonly string[];
  /** Of packages that clients did not find when their answer arrived. */
  readonly missing: readonly string[];
  /** The generations of the receipts, each once, in their order. */
  readonly generations: readonly number[];
};

/**
 * Uploads the samples into a channel of `main`, `width` at a time, each on a connection that is kept. `answered` is
 * called after the last answer, before what was found meanwhile is looked through.
 */
export async function flood(
  target: Target,
  samples: readonly Sample[],
  width: number,
  answered: () => void = () => undefined,
): Promise<Flood> {
  const witness = new Witness(target);
  const refused: string[] = [];
  const generations = new Set<number>();
  const uploaders = await Promise.all(
    Array.from({ length: width }, () => Uploader.open(target.url, target.token)),
  );
  const base = `/api/v1/repositories/main/channels/${target.channel}/packages/`;
  let next = 0;
  const work = async (uploader: Uploader): Promise<void> => {
    for (let sample = samples[next++]; sample !== undefined; sample = samples[next++]) {
      const { status, body } = await uploader.ask(
        'PUT',
        base + encodeURIComponent(sample.filename),
        sample.bytes,
      );
      if (status !== 201) refused.push(`${sample.filename}: ${status} ${body}`);
      else {
        const receipt = JSON.parse(body) as Receipt;
        generations.add(receipt.generation);
        witness.note(receipt.package.sha256);
      }
    }
  };
  const start = performance.now();
  await Promise.all(uploaders.map(work));
  const wallMs = performance.now() - start;
  answered();
  for (const uploader of uploaders) uploader.close();
  return {
    wallMs,
    refused,
    missing: await witness.missing(),
    generations: [...generations].sort((a, b) => a - b),
  };
}
