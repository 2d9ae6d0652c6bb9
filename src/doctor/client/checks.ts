import { statSync } from 'node:fs';
import type { Asking } from '../ask.ts';
import { fault, good, runChecks, warning, type Check, type Finding } from '../finding.ts';
import type { ClientContext } from './context.ts';
import { clocksAgree, documentHolds, indexArrives, rangesAndRevalidation } from './documents.ts';
import { keysAreThere } from './keys.ts';
import { nameResolves, proxySettings, serverAnswers, tlsHolds } from './network.ts';
import { readSetUp, type Source } from './set-up.ts';

/** In the order in which a client meets what they look at. */
const clientChecks: readonly Check<ClientContext>[] = [
  proxySettings,
  nameResolves,
  serverAnswers,
  tlsHolds,
  clocksAgree,
  keysAreThere,
  documentHolds,
  indexArrives,
  rangesAndRevalidation,
];

/** Examines each repository that a set-up file names, by its path or URL. */
export async function* examineSetUp(
  place: string,
  machine: Omit<ClientContext, 'source'>,
): AsyncGenerator<Finding> {
  const check = 'set-up file';
  const asking: Asking = {
    proxies: machine.proxies,
    ...(machine.token !== undefined && { headers: { authorization: `Bearer ${machine.token}` } }),
  };
  let sources: Source[];
  try {
    sources = await readSetUp(place, asking);
  } catch (error) {
    const what = `${(error as Error).message.replace(/\.$/, '')}.`;
    const todo = 'Name the .sources or .repo file of this machine, or its URL on the server (/setup/…).';
    yield { check, ...fault(place, what, todo) };
    return;
  }
  const names = sources.map((source) => (source.kind === 'apt' ? source.suite : source.id));
  yield { check, ...good(place, `It names ${names.join(', ')}.`) };
  const stat = statSync(place, { throwIfNoEntry: false });
  if (stat && (stat.mode & 0o004) === 0)
    yield {
      check,
      ...warning(place, 'Not everyone on this machine may read it.', `Run "chmod a+r ${place}".`),
    };
  for (const source of sources) yield* runChecks(clientChecks, { source, ...machine });
}
