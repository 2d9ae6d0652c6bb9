/** What sets a machine up for a channel: sources.list(5) in deb822 style, with the key inside. */
import type { ChannelForm } from '../format.ts';
import { repositoryRoot } from './paths.ts';

export function sourcesFileKey(channel: ChannelForm): string {
  return `setup/${channel.repository}/${channel.name}.sources`;
}

export function scriptFileKey(channel: ChannelForm): string {
  return `setup/${channel.repository}/${channel.name}.sh`;
}

/** apt 2.4 and newer read the key from the file itself; a blank line of the armour is " ." there. */
export function writeSourcesFile(channel: ChannelForm, armoredKey: string): string {
  const { publicUrl, repository, name, components } = channel;
  const key = armoredKey
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? ' .' : ` ${line}`))
    .join('\n');
  return `# ${channel.description}
Types: deb
URIs: ${publicUrl}/${repositoryRoot(repository)}
Suites: ${name}
Components: ${components.join(' ')}
Signed-By:
${key}
`;
}

/** The two commands of the set-up page as a script that says what it does and works twice. */
export function writeSetupScript(channel: ChannelForm): string {
  const { publicUrl, repository, name } = channel;
  const file = `/etc/apt/sources.list.d/${repository}-${name}.sources`;
  return `#!/bin/sh
# Sets this machine up for ${channel.label} ${name}: writes one file and reads the package lists.
# The file holds the signing key; nothing else on the machine is changed.
# To remove it again: rm ${file} && apt-get update
set -eu
url='${publicUrl}/${sourcesFileKey(channel)}'
file='${file}'
if [ "$(id -u)" != 0 ]; then echo "Run this as root: it writes $file" >&2; exit 1; fi
new=$(mktemp)
trap 'rm -f "$new"' EXIT
if command -v curl >/dev/null; then curl -fsS -o "$new" "$url"; else wget -qO "$new" "$url"; fi
install -m 0644 "$new" "$file"
apt-get update
`;
}
