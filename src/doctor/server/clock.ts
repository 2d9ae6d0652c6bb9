/** The clock against what was published, and whether what was published still holds. */
import { listChannels } from '../../db/channels.ts';
import { findGeneration } from '../../db/generations.ts';
import { fault, good, type Check, type Told } from '../finding.ts';
import { moment, type ServerContext } from './context.ts';

/** Several generations of one second move their date on; more than this is a clock that was set back. */
const toleratedMs = 60_000;

export const clockAndValidity: Check<ServerContext> = {
  name: 'clock and Valid-Until',
  run: async ({ config: { validMs, resignMs }, clock, openDb }) => {
    const db = await openDb();
    if (db === null) return [];
    const now = clock.now();
    const told: Told[] = [];
    for (const { id, format, head: number } of await listChannels(db)) {
      const head = await findGeneration(db, id, number);
      if (!head) continue;
      const dateMs = head.date * 1000;
      if (dateMs > now + toleratedMs)
        told.push(
          fault(
            id,
            `It was published on ${moment(dateMs)}, which is ahead of the clock.`,
            'Set the clock of this machine right: apt refuses a Date that is yet to come.',
          ),
        );
      else if (format === 'apt' && now > dateMs + validMs)
        told.push(
          fault(
            id,
            `It expired on ${moment(dateMs + validMs)}: apt-get update fails.`,
            'See that a server runs and that its log has no errors: it signs again by itself.',
          ),
        );
      else if (format === 'apt' && now > dateMs + 2 * resignMs)
        told.push(
          fault(
            id,
            `It has not been signed again since ${moment(dateMs)}.`,
            `See the log of the server, before it expires on ${moment(dateMs + validMs)}.`,
          ),
        );
    }
    return told.length > 0 ? told : [good('clock', `It says ${moment(now)}, and nothing contradicts it.`)];
  },
};
