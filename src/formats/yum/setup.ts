/** The `.repo` file of a channel: yum.conf(5), dnf.conf(5), zypper(8). */
import type { ChannelForm } from '../format.ts';
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
 * Packages and metadata are checked, with the keys of the repository. The metalink names one frozen generation,
 * so that repomd.xml and its signature always belong together.
 */
export function writeRepoFile(channel: ChannelForm): string {
  const { publicUrl, repository, name } = channel;
  const place = { repository, channel: name };
  return `# ${channel.description}
# Without metalink support: baseurl=${publicUrl}/${channelRoot(place)}/
[${repository}-${name}]
name=${channel.label} ${name}
metalink=${publicUrl}/${metalinkPath(place)}
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=${publicUrl}/keys/${repository}.asc
autorefresh=1
metadata_expire=${metadataExpire}
`;
}
