/** Operations of the model as calls of the server. */
import { Readable } from 'node:stream';
import type { ChangeReport } from '../../src/registry/change-channel.ts';
import { collect } from '../../src/registry/collect.ts';
import { promote } from '../../src/registry/promote.ts';
import { publishChanges } from '../../src/registry/publish-changes.ts';
import { putChannel } from '../../src/registry/put-channel.ts';
import { rollBack } from '../../src/registry/roll-back.ts';
import { stagePackage, uploadPackage } from '../../src/registry/upload-package.ts';
import { yankPackage } from '../../src/registry/yank-package.ts';
import type { FormatName } from '../../src/formats/package.ts';
import { sampleOf, type ChannelName, type Operation } from './model.ts';
import { operator, repository, type Life } from './world.ts';

export type Answer = {
  readonly channel: ChannelName | null;
  /** The generation that the answer says holds the change; null when it names none. */
  readonly generation: number | null;
  readonly report: ChangeReport | null;
};

const none: Answer = { channel: null, generation: null, report: null };
const actor = operator;

const selectorOf = (
  format: FormatName,
  number: number,
): { name: string; version: string; architecture: string } => {
  const { name, version, architecture } = sampleOf(format, number);
  return { name, version, architecture };
};

/** Whether an operation has a dry run. */
export const hasDryRun = ({ verb }: Operation): boolean =>
  ['publish', 'yank', 'promote', 'rollback'].includes(verb);

/** Throws what the server throws. */
export async function perform(
  life: Life,
  format: FormatName,
  operation: Operation,
  dryRun = false,
): Promise<Answer> {
  const told = (channel: ChannelName, report: ChangeReport): Answer => ({
    channel,
    generation: report.generation,
    report,
  });
  switch (operation.verb) {
    case 'upload': {
      const { channel, component } = operation;
      const upload = uploadOf(format, operation.sample, operation.content);
      const { generation } = await uploadPackage(life, { ...upload, channel, component });
      return { channel, generation, report: null };
    }
    case 'stage': {
      const upload = uploadOf(format, operation.sample, operation.content);
      await stagePackage(life, { ...upload, distribution: '' });
      return none;
    }
    case 'publish': {
      const { channel, component, force } = operation;
      const add = operation.add.map(
        ({ sample, content }) => sampleOf(format, sample).contents[content === 1 ? 1 : 0].sha256,
      );
      const remove = operation.remove.map((number) => selectorOf(format, number));
      const request = { actor, repository, channel, component, add, remove, dryRun, force };
      return told(channel, await publishChanges(life, request));
    }
    case 'yank': {
      const { channel } = operation;
      const request = { actor, repository, channel, ...selectorOf(format, operation.sample), dryRun };
      return told(channel, await yankPackage(life, request));
    }
    case 'promote': {
      const { from, to, exact, force } = operation;
      const packages = operation.samples?.map((number) => selectorOf(format, number)) ?? null;
      return told(to, await promote(life, { actor, repository, from, to, packages, exact, dryRun, force }));
    }
    case 'rollback': {
      const { channel, generation, force } = operation;
      return told(channel, await rollBack(life, { actor, repository, channel, generation, dryRun, force }));
    }
    case 'settings': {
      const { channel, description, grow, contents } = operation;
      const components = grow ? { components: ['main', 'extra'] } : {};
      const ofApt = format === 'apt' ? { contents, ...components } : {};
      await putChannel(life, actor, repository, channel, { format, description, ...ofApt });
      return none;
    }
    case 'collect': {
      life.clock.advance(operation.afterMs);
      await collect(life, { actor, repository, dryRun: false });
      return none;
    }
    case 'resign':
      await life.publisher.signStale();
      return none;
  }
}

function uploadOf(format: FormatName, sample: number, content: number) {
  const { filename, contents } = sampleOf(format, sample);
  return {
    actor,
    repository,
    filename,
    body: Readable.from([contents[content === 1 ? 1 : 0].bytes]),
    digests: [],
    client: 'simulator',
    declared: { source: null, commit: null, ref: null, run: null, builder: null },
    beforeBody: () => undefined,
  };
}
