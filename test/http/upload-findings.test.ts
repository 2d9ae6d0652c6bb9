/** What an upload is warned of that only the repository can see. */
import t from 'tap';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { jsonOf } from '../ask.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { startInProcess } from '../server.ts';

const server = await startInProcess(t);

async function findings(channel: string, { bytes }: Sample, filename: string): Promise<string[]> {
  const receipt = await jsonOf<Receipt>(await server.upload(channel, filename, bytes));
  const record = await jsonOf<{ facts: { findings: { code: string }[] } }>(
    await fetch(`${server.url}/api/v1/repositories/main/packages/${receipt.package.sha256}`),
  );
  t.same(record.facts.findings, receipt.findings, 'the record has what the receipt says');
  return receipt.findings.map(({ code }) => code);
}

t.test('a file name that is not the package’s', async (t) => {
  const deb = debSample('named', { version: '3:1.0-1' });
  t.same(await findings('stable', deb, 'latest.deb'), ['file_name']);
  const rpm = rpmSample('named');
  t.same(await findings('stable-rpm', rpm, 'named-1.0-2.x86_64.rpm'), ['file_name']);
});

t.test('the ways of writing one file name', async (t) => {
  const names = ['epoch-a_3:1.0-1_amd64.deb', 'epoch-b_3%3a1.0-1_amd64.deb', 'epoch-c_1.0-1_amd64.deb'];
  for (const name of names) {
    const sample = debSample(name.slice(0, 7), { version: '3:1.0-1' });
    t.same(await findings('stable', sample, name), [], name);
  }
});

t.test('versions that are equal and differ', async (t) => {
  const upload = async (channel: string, sample: Sample): Promise<string[]> =>
    findings(channel, sample, sample.filename);
  t.same(await upload('stable', debSample('equal', { version: '1.0' })), []);
  t.same(await upload('stable', debSample('equal', { version: '1.0-0' })), ['version_equal']);
  t.same(await upload('stable', debSample('equal', { version: '1.00', architecture: 'arm64' })), []);
  t.same(await upload('stable', debSample('equal', { version: '1.1' })), []);
  t.same(await upload('stable-rpm', rpmSample('equal', { version: '1.0-1' })), []);
  t.same(await upload('stable-rpm', rpmSample('equal', { version: '1.00-1' })), ['version_equal']);
});
