import { AppError } from '../../errors.ts';

/** The first 96 bytes of an rpm file (`docs/manual/format_lead.md`). */
export const leadBytes = 96;

const magic = Buffer.from([0xed, 0xab, 0xee, 0xdb]);

export type Lead = {
  /** 3 for v3 and v4 packages, 4 for v6. */
  readonly major: 3 | 4;
  readonly source: boolean;
  /** For people only: name-version-release as far as it fits. Never used. */
  readonly name: string;
};

/**
 * Reads the lead. rpm from 4.20 looks at nothing but the magic; older ones refuse other majors and signature
 * types (`lib/rpmlead.c`), so such a package could be installed on some machines only.
 */
export function decodeLead(bytes: Buffer): Lead {
  if (bytes.length < leadBytes || !bytes.subarray(0, 4).equals(magic)) {
    throw new AppError('not_an_rpm', 'The file does not begin with the lead of an rpm package.', {
      part: 'lead',
      offset: 0,
    });
  }
  const major = bytes.readUInt8(4);
  if (major !== 3 && major !== 4) {
    throw malformed(`The lead says format ${major}; rpm reads 3 and 4.`, 4);
  }
  const type = bytes.readUInt16BE(6);
  if (type > 1) throw malformed(`The lead says package type ${type}; there are 0, binary, and 1, source.`, 6);
  const signatureType = bytes.readUInt16BE(78);
  if (signatureType !== 5) {
    throw malformed(`The lead says signature type ${signatureType}; rpm reads 5, a signature header.`, 78);
  }
  const end = bytes.indexOf(0, 10);
  return { major, source: type === 1, name: bytes.toString('latin1', 10, end < 0 || end > 76 ? 76 : end) };
}

/** Writes a lead as rpm 4.18 does: no architecture and no system number. */
export function encodeLead(lead: Lead): Buffer {
  const bytes = Buffer.alloc(leadBytes);
  magic.copy(bytes);
  bytes.writeUInt8(lead.major, 4);
  bytes.writeUInt16BE(lead.source ? 1 : 0, 6);
  bytes.write(lead.name, 10, 65, 'latin1');
  bytes.writeUInt16BE(5, 78);
  return bytes;
}

const malformed = (detail: string, offset: number): AppError =>
  new AppError('rpm_header_malformed', detail, { part: 'lead', offset });
