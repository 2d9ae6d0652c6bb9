/** Packages made wrong at random: what is thrown, what depends on chunks, and what the oracles say of the rest. */
import t from 'tap';
import { mkdirSync, writeFileSync } from 'node:fs';
import { env } from 'node:process';
import { AppError } from '../../../src/errors.ts';
import { parseDeb } from '../../../src/formats/apt/deb.ts';
import { inChunks } from '../../build-deb.ts';
import { unlessInstalled } from '../../clients.ts';
import { mutant, randomFrom } from './mutate.ts';
import {
  type Accepted,
  compareContents,
  compareFields,
  compareFiles,
  compareStanzas,
  shown,
} from './oracle.ts';

t.setTimeout(240_000);

/** How many packages; a longer run starts elsewhere: `MUTANTS=10000..60000`. */
const [first = 0, end = 1_200] = (env['MUTANTS'] ?? '').split('..').filter(Boolean).map(Number);

/** All that a caller can see of a read, in one text. */
async function outcome(bytes: Buffer, sizes: readonly number[]): Promise<string> {
  try {
    return JSON.stringify(await parseDeb(inChunks(bytes, sizes)));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return JSON.stringify([error.code, error.message, error.place]);
  }
}

t.test('nothing but AppError is thrown, and accepted packages are read as by dpkg and apt', async (t) => {
  const dir = t.testdir({});
  mkdirSync(`${dir}/d`);
  const accepted: Accepted[] = [];
  for (let seed = first; seed < end; seed++) {
    const bytes = mutant(seed);
    try {
      const parsed = await parseDeb(inChunks(bytes));
      writeFileSync(`${dir}/d/${seed}.deb`, bytes);
      accepted.push({ file: `d/${seed}.deb`, parsed });
    } catch (error) {
      if (!(error instanceof AppError)) t.fail(`mutant ${seed}: ${String(error)}`);
      else if (error.place === undefined) t.fail(`mutant ${seed}: ${error.code} without a place`);
    }
  }
  t.ok(accepted.length > (end - first) / 10, `${accepted.length} of ${end - first} accepted`);

  t.test('dpkg-deb', { skip: unlessInstalled('dpkg-deb') }, (t) => {
    t.same([...compareFields(dir, accepted), ...compareFiles(dir, accepted)].map(shown), []);
    t.end();
  });
  t.test('apt-ftparchive', { skip: unlessInstalled('apt-ftparchive') }, (t) => {
    t.same([...compareStanzas(dir, 'd', accepted), ...compareContents(dir, accepted)].map(shown), []);
    t.end();
  });
});

t.test('the size of chunks changes no result and no error', async (t) => {
  const random = randomFrom(1);
  for (let seed = first; seed < Math.min(end, first + 100); seed++) {
    const bytes = mutant(seed);
    const whole = await outcome(bytes, [2 ** 30]);
    const sizes = Array.from({ length: 50 }, () => 1 + random.next(random.pick([2, 100, 5000])));
    for (const cut of [[1], sizes]) {
      const other = await outcome(bytes, cut);
      if (other !== whole) t.equal(other, whole, `mutant ${seed}, chunks of ${cut.slice(0, 5).join()}`);
    }
  }
});
