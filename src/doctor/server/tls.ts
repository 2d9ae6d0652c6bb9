/** The certificate, where the server ends TLS itself. */
import type { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { expiryWarning, readCertificate } from '../../http/certificate.ts';
import { fault, faultOf, good, warning, type Check, type Told } from '../finding.ts';
import type { ServerContext } from './context.ts';

function isFor(leaf: X509Certificate, host: string): boolean {
  return (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)) !== undefined;
}

export const tlsFiles: Check<ServerContext> = {
  name: 'TLS',
  run: ({ config: { tls, publicUrl }, clock }) => {
    if (!tls) return [];
    const told: Told[] = [];
    try {
      const pair = readCertificate(tls, clock.now());
      const ends = expiryWarning(pair, clock.now());
      if (ends !== null)
        told.push(warning(tls.certificate, ends, 'Renew it, and see why that did not happen by itself.'));
      const host = publicUrl === undefined ? null : new URL(publicUrl).hostname.replace(/^\[|\]$/g, '');
      if (host !== null && !isFor(pair.leaf, host))
        told.push(
          fault(
            tls.certificate,
            `It is not for ${host}, the host of public_url, but for ${pair.leaf.subjectAltName ?? 'nobody'}.`,
            'Set public_url to a name of the certificate, or get one for it.',
          ),
        );
      if ((statSync(tls.key).mode & 0o007) !== 0)
        told.push(warning(tls.key, 'Everyone on this machine may read it.', `Run "chmod o-rwx ${tls.key}".`));
      return told.length > 0 ? told : [good(tls.certificate, `It is valid until ${pair.leaf.validTo}.`)];
    } catch (error) {
      return [faultOf(tls.certificate, error)];
    }
  },
};
