/** The catalog: whether it opens, and whether its tables are those of this version. */
import { listMigrations } from '../../db/catalog.ts';
import { fault, faultOf, good, warning, type Check } from '../finding.ts';
import type { ServerContext } from './context.ts';

export const catalogOpens: Check<ServerContext> = {
  name: 'catalog',
  run: async ({ config: { database, role }, openDb }) => {
    if (role === 'read') return [];
    const where = database.engine === 'sqlite' ? database.path : 'database_url';
    try {
      const db = await openDb();
      if (db === null) return [fault(where, 'There is no catalog.', 'Start the server once, or set data.')];
      const { missing, newer } = await listMigrations(db);
      if (newer.length > 0)
        return [
          fault(
            where,
            `A newer version of Entrepot has used it (${newer.join(', ')}).`,
            'Install that version again, or restore a backup from before it.',
          ),
        ];
      if (missing.length > 0)
        return [
          warning(
            where,
            `Its tables are older than this version (without ${missing.join(', ')}).`,
            'The next start of the server brings it up to date: take a backup first.',
          ),
        ];
    } catch (error) {
      return [faultOf(where, error)];
    }
    return [good(where, 'It opens, and its tables are those of this version.')];
  },
};
