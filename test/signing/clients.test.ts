import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { AppError } from '../../src/errors.ts';
import { clearsign, signDetached, signPacket, type Signers } from '../../src/signing/documents.ts';
import type { PublicKey } from '../../src/signing/public-key.ts';
import { verifyClearsigned, verifyPacket } from '../../src/signing/verify.ts';
import { unlessInstalled } from '../clients.ts';
import { testSigner } from '../signing-key.ts';
import { run } from '../run.ts';

const first = await testSigner('first');
const second = await testSigner('second');
const at = 1706745600;

/** Whether it passes; a failure must be one with a code. */
function accepts(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

function flip(bytes: Uint8Array, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return flipped;
}

void t.test(
  'no flipped bit of a packet passes here or with gpgv',
  { skip: unlessInstalled('gpgv') },
  async (t) => {
    const content = Buffer.from('content');
    const packet = await signPacket(content, first, at);
    const dir = t.testdir({ content, 'key.gpg': first.key.binary });
    const [contentFile, keyring, file] = ['content', 'key.gpg', 'packet'].map((name) => join(dir, name));
    const headBits = (packet.length - 512) * 8;
    // Everything but the RSA number bit by bit, and one bit in each sixteen octets of that.
    const bits = Array.from({ length: packet.length * 8 }, (_, bit) => bit).filter(
      (bit) => bit < headBits || bit % 128 === 5,
    );
    for (const bit of bits) {
      const flipped = flip(packet, bit);
      t.notOk(
        accepts(() => verifyPacket([content], flipped, [first.key])),
        `bit ${bit} is refused here`,
      );
      writeFileSync(file!, flipped);
      const { code } = await run('gpgv', ['--keyring', keyring!, file!, contentFile!]);
      // gpgv takes a packet that ends early, does not look at the copy of the digest's first two octets, and
      // takes any bit length that needs as many octets.
      const isLenient = [1, 2, 50, 51, 53].includes(bit >> 3);
      if (!isLenient) t.not(code, 0, `bit ${bit} is refused by gpgv`);
    }
  },
);

const release = (date: number) => `Origin: Example
Suite: stable
Codename: stable
Date: ${new Date(date * 1000).toUTCString()}
Architectures: amd64
Components: main
Description: - a dash inside
SHA256:
 ${createHash('sha256').digest('hex')} 0 main/binary-amd64/Packages
`;

void t.test(
  'property: what passes here passes with gpgv, and says the same',
  { skip: unlessInstalled('gpgv') },
  async (t) => {
    const dir = t.testdir({ 'key.gpg': first.key.binary });
    const [keyring, file] = ['key.gpg', 'InRelease'].map((name) => join(dir, name));
    const document = Buffer.from(await clearsign(`${release(at)}-dash\n`, [first], at));
    const edit = fc.oneof(
      fc.nat(document.length * 8 - 1).map((bit) => flip(document, bit)),
      fc.nat(document.length - 1).map((end) => document.subarray(0, end)),
      fc
        .tuple(
          fc.nat(document.length),
          fc.constantFrom('\n', ' ', '\t', '\r', '-', '- ', '\n\n', '\0', '\n- \n'),
        )
        .map(([place, text]) =>
          Buffer.concat([document.subarray(0, place), Buffer.from(text), document.subarray(place)]),
        ),
    );
    let passed = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.constant(document), edit), async (changed) => {
        if (!accepts(() => verifyClearsigned(changed, [first.key]))) return true;
        passed++;
        writeFileSync(file!, changed);
        const { code, stdout } = await run('gpgv', ['--keyring', keyring!, '--output', '-', file!]);
        return code === 0 && stdout === verifyClearsigned(changed, [first.key]).text;
      }),
      { numRuns: 1500 },
    );
    t.ok(passed > 100, `${passed} documents passed`);
  },
);

type AptRoot = {
  readonly source: (text: string) => void;
  readonly update: () => Promise<{ code: number | null; output: string }>;
};

/** An apt of its own under `dir`: its own sources, lists and caches, and no other trusted keys. */
function aptRoot(dir: string): AptRoot {
  const dirs = [
    'etc/sources.list.d',
    'etc/apt.conf.d',
    'etc/preferences.d',
    'state/lists/partial',
    'cache/archives/partial',
  ];
  for (const name of dirs) mkdirSync(join(dir, name), { recursive: true });
  writeFileSync(join(dir, 'status'), '');
  const options = {
    'Dir::Etc': join(dir, 'etc'),
    'Dir::Etc::trusted': join(dir, 'none'),
    'Dir::Etc::trustedparts': join(dir, 'none.d'),
    'Dir::State': join(dir, 'state'),
    'Dir::State::status': join(dir, 'status'),
    'Dir::Cache': join(dir, 'cache'),
    'Dir::Log': join(dir, 'log'),
    'APT::Sandbox::User': '',
    'APT::Architecture': 'amd64',
    'Acquire::Languages': 'none',
  };
  const args = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return {
    source: (text) => writeFileSync(join(dir, 'etc/sources.list.d/test.sources'), text),
    update: async () => {
      rmSync(join(dir, 'state/lists'), { recursive: true });
      mkdirSync(join(dir, 'state/lists/partial'), { recursive: true });
      const { code, stdout, stderr } = await run('apt-get', [...args, '--error-on=any', 'update']);
      return { code, output: stdout + stderr };
    },
  };
}

void t.test(
  'apt-get update trusts what the keys in Signed-By signed',
  { skip: unlessInstalled('apt-get', 'gpgv') },
  async (t) => {
    const dir = t.testdir();
    const apt = aptRoot(dir);
    const suite = join(dir, 'repository/dists/stable');
    mkdirSync(join(suite, 'main/binary-amd64'), { recursive: true });
    writeFileSync(join(suite, 'main/binary-amd64/Packages'), '');
    const now = Math.floor(Date.now() / 1000);
    const text = release(now);

    const publish = async (signers: Signers, form: 'InRelease' | 'Release') => {
      for (const name of ['InRelease', 'Release', 'Release.gpg']) rmSync(join(suite, name), { force: true });
      if (form === 'InRelease') {
        writeFileSync(join(suite, 'InRelease'), await clearsign(text, signers, now));
        return;
      }
      writeFileSync(join(suite, 'Release'), text);
      writeFileSync(join(suite, 'Release.gpg'), await signDetached(Buffer.from(text), signers, now));
    };
    const trust = (keys: readonly PublicKey[], form: 'armored' | 'binary' | 'embedded') => {
      const armored = keys.map((key) => key.armored).join('');
      const path = join(dir, form === 'binary' ? 'keys.gpg' : 'keys.asc');
      writeFileSync(path, form === 'binary' ? Buffer.concat(keys.map((key) => key.binary)) : armored);
      const signedBy =
        form === 'embedded' ? `\n${armored.replace(/^$/gm, '.').replace(/^/gm, ' ').trimEnd()}` : ` ${path}`;
      apt.source(
        `Types: deb\nURIs: copy:${join(dir, 'repository')}\nSuites: stable\nComponents: main\nSigned-By:${signedBy}\n`,
      );
    };

    for (const form of ['InRelease', 'Release'] as const) {
      for (const keyForm of ['armored', 'binary', 'embedded'] as const) {
        await publish([first], form);
        trust([first.key], keyForm);
        const { code, output } = await apt.update();
        t.equal(code, 0, `${form}, ${keyForm} key: ${output}`);
      }
      trust([first.key, second.key], 'armored');
      await publish([second], form);
      t.equal((await apt.update()).code, 0, `${form}: signed by the second key of two in one file`);
      for (const known of [first.key, second.key]) {
        trust([known], 'armored');
        await publish([first, second], form);
        t.equal((await apt.update()).code, 0, `${form}: signed by two keys, one of them known`);
      }
      trust([second.key], 'armored');
      await publish([first], form);
      t.match(
        await apt.update(),
        { code: 100, output: /NO_PUBKEY|Missing key|not signed/ },
        `${form}: another key`,
      );
    }
  },
);
