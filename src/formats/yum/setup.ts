/** The `.repo` file of a channel: yum.conf(5), dnf.conf(5), zypper(8). */
import type { ChannelForm, SetupTrust } from '../format.ts';
import { channelRoot, metalinkPath } from './paths.ts';

/**
 * Seconds after which dnf asks whether there is a new generation: the question costs one small answer. zypper
 * asks on its own with `autorefresh`, which dnf passes over.
 */
const metadataExpire = 300;

export function repoFileKey(channel: ChannelForm): string {
  return `setup/${channel.repository}/${channel.name}.repo`;
}

/**
 * Packages and metadata are checked, with the keys of the repository and of the producers that it lets through;
 * where packages need no signature, the digests in the signed metadata vouch for them. The metalink names one frozen generation,
 * so that repomd.xml and its signature always belong together.
 */
export function writeRepoFile(channel: ChannelForm, { producersKey, packagesSigned }: SetupTrust): string {
  const { publicUrl, repository, name } = channel;
  const place = { repository, channel: name };
  const keys = [`keys/${repository}.asc`, ...(producersKey === null ? [] : [producersKey])].map(
    (key) => `${publicUrl}/${key}`,
  );
  return `# ${channel.description}
# Without metalink support: baseurl=${publicUrl}/${channelRoot(place)}/
[${repository}-${name}]
name=${channel.label} ${name}
metalink=${publicUrl}/${metalinkPath(place)}
enabled=1
gpgcheck=${packagesSigned ? 1 : 0}
repo_gpgcheck=1
gpgkey=${keys.join('\n       ')}
autorefresh=1
metadata_expire=${metadataExpire}
`;
}
