/** What a yum channel publishes beside its packages, and what is asked of each before it goes in. */
import type { DocumentFormat } from '../format.ts';
import { checkComps } from './comps.ts';
import { checkModules } from './modules.ts';
import type { DocumentKind } from './repomd.ts';
import { checkUpdateinfo } from './updateinfo.ts';

const MiB = 2 ** 20;

const compressed: DocumentFormat['forms'] = (compressions) =>
  compressions.includes('zstd') ? ['zstd'] : ['gzip'];

/** The largest known, uncompressed: the updateinfo of a whole distribution has 60 MiB, its modules 12 MiB. */
const formats: Readonly<Record<DocumentKind, DocumentFormat>> = {
  updateinfo: {
    mediaType: 'application/xml',
    maxBytes: 64 * MiB,
    check: checkUpdateinfo,
    forms: compressed,
  },
  comps: {
    mediaType: 'application/xml',
    maxBytes: 16 * MiB,
    check: checkComps,
    // yum of el7 reads the plain file alone (createrepo_c#383). What reads zstd reads it under the plain one's name.
    forms: (compressions) => (compressions.includes('zstd') ? ['zstd'] : ['none', 'gzip']),
  },
  modules: {
    mediaType: 'application/yaml',
    maxBytes: 16 * MiB,
    check: checkModules,
    forms: compressed,
  },
};

export const documents: ReadonlyMap<string, DocumentFormat> = new Map(Object.entries(formats));
