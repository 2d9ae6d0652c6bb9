import type { Check } from '../finding.ts';
import { catalogOpens } from './catalog.ts';
import { clockAndValidity } from './clock.ts';
import type { ServerContext } from './context.ts';
import { dataDirectory } from './data-directory.ts';
import { diskSpace, sameFileSystem } from './disk.ts';
import { heads } from './heads.ts';
import { signingKeys } from './keys.ts';
import { proxyHeaders, publicUrlIsUs } from './public-url.ts';
import { storeAnswers } from './store.ts';
import { tlsFiles } from './tls.ts';

/** In the order in which a server depends on them. */
export const serverChecks: readonly Check<ServerContext>[] = [
  dataDirectory,
  diskSpace,
  sameFileSystem,
  catalogOpens,
  signingKeys,
  clockAndValidity,
  storeAnswers,
  heads,
  tlsFiles,
  publicUrlIsUs,
  proxyHeaders,
];
