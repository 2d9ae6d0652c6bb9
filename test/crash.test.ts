/**
 * The real program, killed at random moments while several clients upload into both formats, ten times in a row on
 * one data directory. After each start: every acknowledged upload is served whole, whatever is served was sent
 * whole, and fsck finds nothing. CRASH_SEED repeats a run, CRASH_ROUNDS makes it longer.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Receipt } from '../src/registry/upload-package.ts';
import { unlessInstalled } from './clients.ts';
import { aptMachine } from './clients/apt-root.ts';
import { unlessRoot } from './clients/roots.ts';
import { debSample, rpmSample, type Sample } from './packages.ts';
import { randomFrom } from './random.ts';
import { runCommand, startCommand } from './program.ts';
import { readApt, readFrom, readYum, sha256, type ServedPackage } from './served.ts';
import { adminToken, freePort, startProgram, temporaryDir, type Program } from './server.ts';

const rounds = Number(process.env['CRASH_ROUNDS'] ?? 50);
const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

const formats = {
  stable: { sample: debSample, read: readApt },
  'stable-rpm': { sample: rpmSample, read: readYum },
} as const;
type Channel = keyof typeof formats;

type Upload = { readonly name: string; readonly channel: Channel; readonly sample: Sample };

/** What the clients know of their uploads: the only truth that the server is held against. */
class Clients {
  readonly sent = new Map<string, Upload>();
  readonly acknowledged = new Map<string, Receipt>();
  /** Sent, and never answered: to be sent again. */
  readonly unanswered = new Set<Upload>();
  readonly #random: () => number;
  #next = 0;
  #waiting: { count: number; resolve: () => void } | undefined;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Uploads one after the other until the server is gone. */
  async run(server: Program, channel: Channel): Promise<void> {
    for (;;) {
      const again = [...this.unanswered].find((upload) => upload.channel === channel);
      const upload = again ?? this.#make(channel);
      this.unanswered.delete(upload);
      try {
        await this.#send(server, upload);
      } catch (error) {
        if (error instanceof Refused) throw error;
        this.unanswered.add(upload);
        return;
      }
    }
  }

  #make(channel: Channel): Upload {
    const name = `${channel === 'stable' ? 'deb' : 'rpm'}-${String(this.#next++).padStart(4, '0')}`;
    // Some larger than a socket takes at once, so that kills find them half received.
    const content = name.repeat(this.#random() < 0.2 ? 40_000 : 10);
    const upload = { name, channel, sample: formats[channel].sample(name, { content }) };
    this.sent.set(name, upload);
    return upload;
  }

  async #send(server: Program, upload: Upload): Promise<void> {
    const { filename, bytes } = upload.sample;
    const response = await server.upload(upload.channel, filename, bytes);
    const text = await response.text();
    if (response.status !== 201 && response.status !== 200)
      throw new Refused(`${upload.name}: ${response.status} ${text}`);
    this.acknowledged.set(upload.name, JSON.parse(text) as Receipt);
    if (this.#waiting && --this.#waiting.count <= 0) this.#waiting.resolve();
  }

  /** Resolves after so many further uploads have been acknowledged. */
  async answers(count: number): Promise<void> {
    if (count === 0) return;
    await new Promise<void>((resolve) => {
      this.#waiting = { count, resolve };
    });
  }
}

class Refused extends Error {}

/** Lets the program start, and kills it on its way: in the middle of its recovery. */
async function killWhileStarting(dataDir: string, port: number, afterMs: number): Promise<void> {
  const { child, ended } = startCommand(['serve'], {
    ENTREPOT_DATA: dataDir,
    ENTREPOT_LISTEN: `127.0.0.1:${port}`,
    ENTREPOT_ADMIN_TOKEN: adminToken,
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  await ended;
  clearTimeout(timer);
}

/** Holds what a machine finds against what the clients know. Answers how many packages are served. */
async function checkServed(t: Test, server: Program, clients: Clients): Promise<number> {
  let count = 0;
  for (const channel of Object.keys(formats) as Channel[]) {
    const entries = await formats[channel].read(readFrom(server.url), 'main', channel);
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    count += entries.length;
    const missing = [...clients.acknowledged]
      .filter(
        ([name, receipt]) =>
          receipt.channel === channel && byName.get(name)?.sha256 !== receipt.package.sha256,
      )
      .map(([name]) => name);
    t.same(missing, [], `${channel}: every acknowledged package is in the index, with its digest`);
    const strange = entries.filter((entry) => !isWhole(server, clients, entry)).map(({ name }) => name);
    t.same(strange, [], `${channel}: whatever is in the index was sent, and its file is there and whole`);
    t.equal(byName.size, entries.length, `${channel}: each once`);
  }
  return count;
}

/** The file of an entry is there with its digest, and holds what its uploader sent. */
function isWhole(server: Program, clients: Clients, entry: ServedPackage): boolean {
  const upload = clients.sent.get(entry.name);
  if (!upload) return false;
  const bytes = readFileSync(join(server.dataDir, 'tree', entry.path));
  if (sha256(bytes) !== entry.sha256 || bytes.length !== entry.sizeBytes) return false;
  const original = upload.sample.bytes;
  // Signing an rpm replaces what stands before its main header; the rest is as it was sent.
  return upload.channel === 'stable'
    ? bytes.equals(original)
    : bytes.subarray(-500).equals(original.subarray(-500));
}

t.setTimeout(600_000);

/** Of one data directory: fsck looks at every generation, so that a longer life takes more time each round. */
const killsPerLife = 10;

t.test(`killed ${rounds} times (CRASH_SEED=${seed})`, async (t) => {
  const random = randomFrom(seed);
  let killedInFlight = 0;
  for (let killed = 0; killed < rounds; killed += killsPerLife)
    killedInFlight += await live(t, random, Math.min(killsPerLife, rounds - killed));
  t.ok(killedInFlight >= rounds, `${killedInFlight} uploads were in flight when the server was killed`);
});

/** Kills a server so often, and lets the last one stop. Answers how many uploads were in flight at the kills. */
async function live(t: Test, random: () => number, kills: number): Promise<number> {
  const dataDir = temporaryDir(t);
  const port = await freePort();
  const clients = new Clients(random);
  let killedInFlight = 0;
  for (let round = 0; ; round++) {
    const server = await startProgram(t, { dataDir, port });
    const [served, checked] = await Promise.all([
      checkServed(t, server, clients),
      runCommand(['fsck', '--data', dataDir]),
    ]);
    t.same(
      checked,
      { code: 0, stdout: 'clean\n', stderr: '' },
      `round ${round}: fsck, with ${served} packages`,
    );
    t.same(readdirSync(join(dataDir, 'staging')), [], 'nothing is left in the staging folder');
    if (round === kills) {
      await installOne(t, server, clients);
      t.equal(await server.stop(), 0);
      break;
    }

    const channels: Channel[] = ['stable', 'stable-rpm', 'stable', 'stable-rpm'];
    const running = Promise.all(channels.map((channel) => clients.run(server, channel)));
    // A few answers, and then somewhere within the next upload.
    await Promise.race([clients.answers(Math.floor(random() * 6)), running]);
    const delayMs = random() * 80;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await server.kill();
    await running;
    killedInFlight += clients.unanswered.size;
    if (round % 5 === 4) await killWhileStarting(dataDir, port, 300 + random() * 700);
  }
  const { acknowledged, sent } = clients;
  t.comment(`${kills} kills, ${acknowledged.size} of ${sent.size} uploads acknowledged, none lost`);
  return killedInFlight;
}

/** Real apt, on a machine of its own, installs the package that was acknowledged last. */
async function installOne(t: Test, server: Program, clients: Clients): Promise<void> {
  if ((unlessInstalled('apt-get', 'gpgv', 'dpkg-deb') || unlessRoot) !== false) return;
  const [name = ''] = [...clients.acknowledged.keys()].filter((each) => each.startsWith('deb-')).slice(-1);
  const machine = await aptMachine(t, server);
  const update = await machine.update();
  t.equal(update.code, 0, update.output);
  const install = await machine.apt('install', name);
  t.equal(install.code, 0, install.output);
  t.equal(machine.read(`usr/share/${name}/what`)?.slice(0, name.length), name);
}
