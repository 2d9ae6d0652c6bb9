/** What clients start from shows what the catalog says: the quick part of fsck. */
import { checkPublishedHeads } from '../../registry/fsck.ts';
import { fault, good, type Check } from '../finding.ts';
import type { ServerContext } from './context.ts';

/** Where more are at fault, the first ones tell as much. */
const channels = 20;

export const heads: Check<ServerContext> = {
  name: 'heads',
  run: async ({ openDb, openStore }) => {
    const db = await openDb();
    // A store that cannot be used is told of above.
    const store = await openStore().catch(() => null);
    if (db === null || store === null) return [];
    const faults = await checkPublishedHeads({ db, store }, channels);
    const told = faults.map(({ key, problem }) =>
      fault(key, `It is ${problem}.`, 'Stop the server and run "entrepot fsck --repair".'),
    );
    return told.length > 0 ? told : [good('every channel', 'Its pointers show its head.')];
  },
};
