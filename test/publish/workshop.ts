/** A server's inside with hands on it: a store and a signer that stop or fail where a test says. */
import { Readable } from 'node:stream';
import type { Test } from 'tap';
import type { App } from '../../src/app.ts';
import { Publisher } from '../../src/publish/publisher.ts';
import { UploadRecorder } from '../../src/registry/record-upload.ts';
import {
  stagePackage,
  uploadPackage,
  type Receipt,
  type StageReceipt,
  type StageRequest,
} from '../../src/registry/upload-package.ts';
import type { Signer } from '../../src/signing/signer.ts';
import { oneByOne, placeOneByOne } from '../../src/store/one-by-one.ts';
import type { Store } from '../../src/store/store.ts';
import type { Sample } from '../packages.ts';
import { startInProcess, type InProcess } from '../server.ts';

type Write = 'putImmutable' | 'putImmutableFile' | 'putPointer' | 'putAlias' | 'delete';

export type Hooks = {
  /** Before each write; what it throws is what the write fails with. */
  write: (operation: Write, key: string) => void | Promise<void>;
  /** After each write that did not fail. */
  written: (operation: Write, key: string) => void;
  /** Before each use of a key. */
  sign: () => void | Promise<void>;
};

export type Workshop = {
  readonly server: InProcess;
  /** The server's own parts, with the store and the signer that can be held. */
  readonly app: App;
  readonly hooks: Hooks;
  readonly upload: (channel: string, sample: Sample) => Promise<Receipt>;
  readonly stage: (sample: Sample) => Promise<StageReceipt>;
};

const nothing = (): undefined => undefined;

function heldStore(store: Store, hooks: Hooks): Store {
  const held =
    <A extends unknown[]>(operation: Write, write: (key: string, ...rest: A) => Promise<void>) =>
    async (key: string, ...rest: A): Promise<void> => {
      await hooks.write(operation, key);
      await write.call(store, key, ...rest);
      hooks.written(operation, key);
    };
  const visible = {
    putPointer: held('putPointer', store.putPointer.bind(store)),
    putAlias: held('putAlias', store.putAlias.bind(store)),
  };
  return {
    ...visible,
    putImmutable: held('putImmutable', store.putImmutable.bind(store)),
    putImmutableFile: held('putImmutableFile', store.putImmutableFile.bind(store)),
    stage: (chunks, lastModifiedMs) => {
      const staged = store.stage(chunks, lastModifiedMs);
      return { ...staged, place: held('putImmutable', staged.place) };
    },
    placeAll: (names) => placeOneByOne(names, visible),
    stageVisible: (files) => oneByOne(files, visible),
    delete: held('delete', store.delete.bind(store)),
    open: store.open.bind(store),
    list: store.list.bind(store),
  };
}

export async function openWorkshop(
  t: Test,
  options: Parameters<typeof startInProcess>[1] = {},
): Promise<Workshop> {
  const server = await startInProcess(t, options);
  const hooks: Hooks = { write: nothing, written: nothing, sign: nothing };
  const store = heldStore(server.app.store, hooks);
  const signerOf = async (repository: string): Promise<Signer> => {
    await hooks.sign();
    return await server.app.signerOf(repository);
  };
  const { validMs, resignMs } = server.app.config;
  const publisher = new Publisher({ ...server.app, store, signerOf, validMs, resignMs });
  const settled = (channel: string): Promise<void> => publisher.settled(channel);
  const recorder = new UploadRecorder({ ...server.app, settled });
  const app = { ...server.app, store, signerOf, publisher, recorder };
  const common = ({ filename, bytes }: Sample): Omit<StageRequest, 'distribution'> => ({
    actor: { kind: 'operator', name: 'test' },
    repository: 'main',
    filename,
    body: Readable.from([bytes]),
    digests: [],
    client: 'test',
    declared: { source: null, commit: null, ref: null, run: null, builder: null },
    beforeBody: nothing,
  });
  const upload = (channel: string, sample: Sample): Promise<Receipt> =>
    uploadPackage(app, { ...common(sample), channel, component: null });
  const stage = (sample: Sample): Promise<StageReceipt> =>
    stagePackage(app, { ...common(sample), distribution: '' });
  return { server, app, hooks, upload, stage };
}

/** A door that is shut until it is opened; `reached` resolves when the first one stands before it. */
export function gate(): { pass: () => Promise<void>; open: () => void; reached: Promise<void> } {
  const reached = Promise.withResolvers<undefined>();
  const opened = Promise.withResolvers<undefined>();
  return {
    pass: async () => {
      reached.resolve(undefined);
      await opened.promise;
    },
    open: () => opened.resolve(undefined),
    reached: reached.promise,
  };
}
