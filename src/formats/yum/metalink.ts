/** metalink 3.0 as MirrorManager writes it and librepo reads it (`librepo/metalink.c`). */
import { escapeText } from './xml.ts';

export type Metalink = {
  /** The frozen repomd.xml, so that it and its signature come from one generation. */
  readonly url: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
};

export function writeMetalink({ url, sha256, sizeBytes, timestamp }: Metalink): string {
  const protocol = url.startsWith('https:') ? 'https' : 'http';
  return `<?xml version="1.0" encoding="UTF-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
  <files>
    <file name="repomd.xml">
      <mm0:timestamp>${timestamp}</mm0:timestamp>
      <size>${sizeBytes}</size>
      <verification>
        <hash type="sha256">${sha256}</hash>
      </verification>
      <resources maxconnections="1">
        <url protocol="${protocol}" type="${protocol}" preference="100">${escapeText(url)}</url>
      </resources>
    </file>
  </files>
</metalink>
`;
}
