/** Certificates as a small authority issues them: by openssl, into files. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function openssl(dir: string, ...args: string[]): void {
  execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
}

export type Authority = {
  /** The file of its own certificate, that clients are to trust. */
  readonly ca: string;
  /** Writes `NAME.pem` (with the authority's behind it) and `NAME.key`, for localhost; answers their paths. */
  readonly issue: (
    name: string,
    options?: { days?: number; names?: string },
  ) => { certificate: string; key: string };
};

export function makeAuthority(dir: string): Authority {
  openssl(dir, 'req', '-x509', ...curve, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test CA');
  return {
    ca: join(dir, 'ca.pem'),
    issue: (name, { days = 60, names = 'DNS:localhost,IP:127.0.0.1' } = {}) => {
      openssl(dir, 'req', ...curve, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      writeFileSync(join(dir, `${name}.ext`), `subjectAltName=${names}\n`);
      const from = ['-in', `${name}.csr`, '-extfile', `${name}.ext`];
      const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
      openssl(dir, 'x509', '-req', ...from, ...by, '-days', String(days), '-out', `${name}.pem`);
      return { certificate: join(dir, `${name}.pem`), key: join(dir, `${name}.key`) };
    },
  };
}
