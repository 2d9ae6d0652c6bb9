/**
 * Does operations on data directories, one after the other, in a process that can be killed and troubled: reads a
 * line with a directory and an operation, opens it and says `ready`; does it at the next line and says what came
 * of it; closes at the next one.
 */
import { createInterface } from 'node:readline';
import process from 'node:process';
import { PackageReaders } from '../../src/registry/package-readers.ts';
import { openApp, operations, type OperationName } from './operations.ts';

/** Its thread is started once. */
const readers = new PackageReaders({ size: 1, timeoutMs: 60_000 });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function nextLine(): Promise<string | null> {
  const { value, done } = await lines.next();
  return done === true ? null : value;
}

// Warm: what is read and compiled at the first use is no part of what is counted.
(await readers.lease()).release();

for (let line = await nextLine(); line !== null; line = await nextLine()) {
  const { dataDir, operation } = JSON.parse(line) as { dataDir: string; operation: OperationName };
  const app = { ...(await openApp(dataDir)), readers };
  say('ready');
  await nextLine();
  try {
    await operations[operation](app);
    say('done');
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    say(`refused ${code} ${message.replaceAll('\n', ' ')}`);
  }
  await nextLine();
  await app.close().catch(() => undefined);
  say('closed');
}
process.exit(0);
