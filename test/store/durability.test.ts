/**
 * A lint over the system calls of the real program: what is renamed into the published tree was made durable
 * before, and its name afterwards. A kill does not show a mistake here; a power cut would.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { unlessInstalled } from '../clients.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readApt, readFrom, readYum } from '../served.ts';
import { startProgram, temporaryDir } from '../server.ts';

type Call = {
  readonly name: string;
  /** The file of a descriptor, or the paths that are given. */
  readonly paths: readonly string[];
  /** The lines on which it begins and ends. */
  readonly start: number;
  readonly end: number;
};

/** Reads what `strace -f -y` wrote, for calls that succeeded. */
function parseTrace(text: string): Call[] {
  const calls: Call[] = [];
  const begun = new Map<string, { text: string; start: number }>();
  for (const [line, content] of text.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(content) ?? [];
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest);
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    if (unfinished) {
      begun.set(thread, { text: unfinished[1] ?? '', start: line });
      continue;
    }
    const first = resumed ? begun.get(thread) : undefined;
    const whole = first ? first.text + (resumed?.[1] ?? '') : rest;
    const call = /^(\w+)\((.*)\)\s+= 0$/.exec(whole);
    if (!call?.[1] || call[2] === undefined) continue;
    const paths = [...call[2].matchAll(/"([^"]*)"|\d+<([^>]*)>/g)].map((match) => match[1] ?? match[2] ?? '');
    calls.push({ name: call[1], paths, start: first?.start ?? line, end: line });
  }
  return calls;
}

const skip = unlessInstalled('strace');

t.test(
  'every file in the tree is durable before it has its name, and its name after',
  { skip },
  async (t) => {
    const trace = join(temporaryDir(t), 'trace');
    const server = await startProgram(t, {
      wrap: [
        'strace',
        '-D',
        '-f',
        '-y',
        '-o',
        trace,
        '-e',
        'trace=fsync,fdatasync,/rename,/symlink,link,linkat',
      ],
    });
    const tree = join(server.dataDir, 'tree');
    for (const [channel, { filename, bytes }] of [
      ['stable', debSample('durable')],
      ['stable', debSample('libdurable')],
      ['stable-rpm', rpmSample('durable')],
    ] as const)
      t.equal((await server.upload(channel, filename, bytes)).status, 201);
    t.equal(await server.stop(), 0);

    const calls = parseTrace(readFileSync(trace, 'utf8'));
    const synced = calls.filter(({ name }) => name === 'fsync' || name === 'fdatasync');
    // A link has no content of its own that could be lost.
    const links = new Set(
      calls.filter(({ name }) => name.startsWith('symlink')).map(({ paths }) => paths.at(-1)),
    );
    // A pointer is a second name of the file that it shows.
    const firstName = new Map(
      calls
        .filter(({ name }) => name.startsWith('link'))
        .map(({ paths }) => [paths.at(-1) ?? '', paths.at(-2) ?? '']),
    );
    t.ok(firstName.size > 10, `${firstName.size} second names`);
    const renames = calls
      .filter(({ name }) => name.startsWith('rename'))
      .map((call) => ({ ...call, from: call.paths.at(-2) ?? '', to: call.paths.at(-1) ?? '' }))
      .filter(({ to }) => to.startsWith(tree));
    t.ok(renames.length > 40, `${renames.length} renames`);
    for (const { from, to, start, end } of renames) {
      const name = to.slice(tree.length + 1);
      if (!links.has(from))
        t.ok(
          synced.some((sync) => sync.paths[0] === (firstName.get(from) ?? from) && sync.end < start),
          `${name}: content`,
        );
      t.ok(
        synced.some((sync) => sync.paths[0] === dirname(to) && sync.start > end),
        `${name}: name`,
      );
    }
    for (const folder of new Set(renames.map(({ to }) => dirname(to))))
      for (let above = folder; above !== dirname(tree); above = dirname(above))
        t.ok(
          synced.some((sync) => sync.paths[0] === dirname(above)),
          `${above.slice(tree.length)}/ in the folder above`,
        );
  },
);

t.test('a file system without second names keeps pointers of their own', { skip }, async (t) => {
  const server = await startProgram(t, {
    wrap: ['strace', '-D', '-f', '-o', '/dev/null', '-e', 'inject=link,linkat:error=EPERM'],
  });
  const formats = [
    ['stable', debSample('single'), readApt, 'apt/main/dists/stable/InRelease'],
    ['stable-rpm', rpmSample('single'), readYum, 'yum/main/stable-rpm/repodata/repomd.xml'],
  ] as const;
  for (const [channel, { filename, bytes }, read, pointer] of formats) {
    t.equal((await server.upload(channel, filename, bytes)).status, 201);
    t.match(await read(readFrom(server.url), 'main', channel), [{ name: 'single' }]);
    t.equal(statSync(join(server.dataDir, 'tree', pointer)).nlink, 1, `${pointer}: one name`);
  }
  t.equal(await server.stop(), 0);
});
