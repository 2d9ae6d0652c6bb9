/** The commands that set a machine up for a channel, to be copied. */
import type { FormatName } from './package.ts';

export type SetupCommands = { readonly client: string; readonly commands: string };

type Channel = { readonly repository: string; readonly name: string; readonly publicUrl: string };

export function setupCommands(format: FormatName, { repository, name, publicUrl }: Channel): SetupCommands[] {
  const file = `${repository}-${name}`;
  const setup = `${publicUrl}/setup/${repository}/${name}`;
  if (format === 'apt')
    return [
      {
        client: 'Debian, Ubuntu and their like (apt 2.4 or newer)',
        commands: `sudo curl -fsSo /etc/apt/sources.list.d/${file}.sources ${setup}.sources\nsudo apt-get update`,
      },
    ];
  return [
    {
      client: 'Fedora, RHEL and their like (dnf)',
      commands: `sudo curl -fsSo /etc/yum.repos.d/${file}.repo ${setup}.repo\nsudo dnf makecache`,
    },
    {
      client: 'SUSE (zypper)',
      commands: `sudo curl -fsSo /etc/zypp/repos.d/${file}.repo ${setup}.repo\nsudo zypper refresh`,
    },
  ];
}
