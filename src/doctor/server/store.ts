/** The published tree: whether it can be read and written. */
import { accessSync, constants, existsSync } from 'node:fs';
import { faultOf, good, fault, type Check } from '../finding.ts';
import type { ServerContext } from './context.ts';

export const storeAnswers: Check<ServerContext> = {
  name: 'store',
  run: async ({ config: { store: place }, openStore }) => {
    const where = place.kind === 'directory' ? place.path : `s3://${place.bucket}/${place.prefix}`;
    try {
      if (place.kind === 'directory') {
        if (!existsSync(place.path))
          return [
            fault(where, 'There is no tree.', 'Start the server once, or run "entrepot fsck --repair".'),
          ];
        accessSync(place.path, constants.R_OK | constants.W_OK | constants.X_OK);
      }
      const store = await openStore();
      const file = await store.open('keys/none');
      await file?.close();
    } catch (error) {
      return [faultOf(where, error)];
    }
    return [good(where, place.kind === 'directory' ? 'It can be written.' : 'It answers.')];
  },
};
