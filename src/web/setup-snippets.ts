/** How a machine is set up for a channel, by client and by tool: texts to be copied. */
import type { FormatName } from '../formats/package.ts';

export type SetupChannel = {
  readonly format: FormatName;
  readonly repository: string;
  readonly channel: string;
  readonly publicUrl: string;
  readonly isPrivate: boolean;
};

export type Step = { readonly title: string; readonly text: string; readonly note?: string };

/** One way to set a machine up. `id` stands in the URL of its page. */
export type SetupGuide = {
  readonly id: string;
  readonly title: string;
  readonly steps: readonly Step[];
  /** How to take it away again. */
  readonly remove: Step | null;
};

type Names = SetupChannel & {
  /** `acme-production`. */
  readonly file: string;
  readonly source: string;
  readonly target: string;
  readonly host: string;
  /** What curl needs beside the address. */
  readonly login: string;
};

function namesOf(channel: SetupChannel): Names {
  const { format, repository, channel: name, publicUrl, isPrivate } = channel;
  const file = `${repository}-${name}`;
  const extension = format === 'apt' ? 'sources' : 'repo';
  return {
    ...channel,
    file,
    source: `${publicUrl}/setup/${repository}/${name}.${extension}`,
    target: `${format === 'apt' ? '/etc/apt/sources.list.d' : '/etc/yum.repos.d'}/${file}.${extension}`,
    host: new URL(publicUrl).host,
    login: isPrivate ? ' -u token:"$TOKEN"' : '',
  };
}

/** Every way for the channel's format, the most usual first. */
export function setupGuides(channel: SetupChannel): SetupGuide[] {
  const names = namesOf(channel);
  return channel.format === 'apt' ? aptGuides(names) : yumGuides(names);
}

const fetchTo = ({ login, source }: Names, target: string): string =>
  `curl -fsS${login} -o ${target} \\\n  ${source}`;

function aptGuides(names: Names): SetupGuide[] {
  const { target } = names;
  const remove: Step = { title: 'Remove it again', text: `rm ${target}\napt-get update` };
  return [
    {
      id: 'apt',
      title: 'apt',
      steps: [
        ...privateApt(names),
        {
          title: 'As root, on Debian 12, Ubuntu 22.04 and newer (apt 2.4)',
          text: `${fetchTo(names, target)}\napt-get update`,
          note: 'The one file holds the address and the signing key. Nothing else on the machine changes.',
        },
        {
          title: 'Read the fingerprint of the key in it, to compare it with the one on this page',
          text: `sed -n '/BEGIN PGP/,/END PGP/{s/^ \\.$//;s/^ //;p}' ${target} | gpg --show-keys`,
        },
      ],
      remove,
    },
    { id: 'script', title: 'Script', steps: scriptSteps(names), remove },
    { id: 'docker', title: 'Dockerfile', steps: [aptDocker(names)], remove: null },
    { id: 'cloud-init', title: 'cloud-init', steps: [cloudInit(names, 'apt-get update')], remove },
    {
      id: 'ansible',
      title: 'Ansible',
      steps: [ansible(names, 'ansible.builtin.apt: { update_cache: true }')],
      remove,
    },
    { id: 'chef', title: 'Chef', steps: [chef(names, 'apt-get update')], remove },
  ];
}

function privateApt({ isPrivate, host, repository, publicUrl }: Names): Step[] {
  if (!isPrivate) return [];
  // apt_auth.conf(5): without TLS the protocol has to be named.
  const machine = publicUrl.startsWith('http://') ? `http://${host}` : host;
  return [
    {
      title: 'The repository is private: give the machine a token with the scope "read" first',
      text: `install -m 0600 /dev/stdin /etc/apt/auth.conf.d/${repository}.conf <<END\nmachine ${machine} login token password $TOKEN\nEND`,
      note: 'Never write a token into an address: it would show up in logs and in "apt policy".',
    },
  ];
}

function scriptSteps({ login, publicUrl, repository, channel }: Names): Step[] {
  const url = `${publicUrl}/setup/${repository}/${channel}.sh`;
  return [
    { title: 'Read it before it runs', text: `curl -fsS${login} -o setup.sh ${url}\nless setup.sh` },
    {
      title: 'Run it as root',
      text: 'sh setup.sh',
      note: 'It writes the same file as the two commands of apt do, and may run twice.',
    },
  ];
}

function aptDocker(names: Names): Step {
  return {
    title: 'Dockerfile',
    text: `ADD ${names.source} \\\n  ${names.target}\nRUN chmod 0644 ${names.target} \\\n && apt-get update \\\n && apt-get install -y --no-install-recommends PACKAGE \\\n && rm -rf /var/lib/apt/lists/*`,
    ...(names.isPrivate && {
      note: 'Private: mount the token as a build secret at /etc/apt/auth.conf.d instead of writing it into a layer.',
    }),
  };
}

function cloudInit(names: Names, update: string): Step {
  return {
    title: 'user-data',
    text: `#cloud-config\nruncmd:\n  - curl -fsS${names.login} -o ${names.target} ${names.source}\n  - ${update}`,
  };
}

function ansible(names: Names, update: string): Step {
  const login = names.isPrivate ? '\n    url_username: token\n    url_password: "{{ entrepot_token }}"' : '';
  return {
    title: 'Tasks',
    text: `- name: Packages of ${names.repository} ${names.channel}\n  ansible.builtin.get_url:\n    url: ${names.source}\n    dest: ${names.target}\n    mode: "0644"${login}\n\n- name: Read the package lists\n  ${update}`,
  };
}

function chef(names: Names, update: string): Step {
  return {
    title: 'Recipe',
    text: `remote_file '${names.target}' do\n  source '${names.source}'\n  mode '0644'\n  notifies :run, 'execute[${update}]', :immediately\nend\n\nexecute '${update}' do\n  action :nothing\nend`,
  };
}

function yumGuides(names: Names): SetupGuide[] {
  const { target, file } = names;
  const remove: Step = {
    title: 'Remove it again',
    text: `rm ${target}\nrpm -qa 'gpg-pubkey*' --qf '%{NAME}-%{VERSION}-%{RELEASE} %{SUMMARY}\\n'`,
    note: 'The second command lists the keys that rpm knows: take this one out with "rpm -e" if nothing else needs it.',
  };
  const zypperFile = `/etc/zypp/repos.d/${file}.repo`;
  return [
    {
      id: 'dnf',
      title: 'dnf',
      steps: [
        {
          title: 'As root, on Fedora, RHEL 8, Rocky, Alma and newer',
          text: `${fetchTo(names, target)}\ndnf makecache`,
          note: 'dnf shows the fingerprint of the key when it first needs it, and asks. Compare it with the one on this page.',
        },
        { title: 'Or, with dnf 5', text: `dnf config-manager addrepo --from-repofile=${names.source}` },
        ...privateYum(names, target),
      ],
      remove,
    },
    {
      id: 'zypper',
      title: 'zypper',
      steps: [
        {
          title: 'As root, on SUSE and openSUSE',
          text: `${fetchTo(names, zypperFile)}\nzypper refresh ${file}`,
        },
        { title: 'Or', text: `zypper addrepo ${names.source}` },
        ...privateZypper(names),
      ],
      remove: { title: 'Remove it again', text: `zypper removerepo ${file}` },
    },
    {
      id: 'yum',
      title: 'yum',
      steps: [
        { title: 'As root, on CentOS 7 and its like', text: `${fetchTo(names, target)}\nyum makecache` },
        ...privateYum(names, target),
      ],
      remove,
    },
    {
      id: 'docker',
      title: 'Dockerfile',
      steps: [
        {
          title: 'Dockerfile',
          text: `ADD ${names.source} \\\n  ${target}\nRUN chmod 0644 ${target} \\\n && dnf install -y PACKAGE \\\n && dnf clean all`,
        },
      ],
      remove: null,
    },
    { id: 'cloud-init', title: 'cloud-init', steps: [cloudInit(names, 'dnf makecache')], remove },
    {
      id: 'ansible',
      title: 'Ansible',
      steps: [ansible(names, 'ansible.builtin.command: { cmd: dnf makecache }')],
      remove,
    },
    { id: 'chef', title: 'Chef', steps: [chef(names, 'dnf makecache')], remove },
  ];
}

function privateYum({ isPrivate }: Names, target: string): Step[] {
  if (!isPrivate) return [];
  return [
    {
      title: 'The repository is private: give the machine a token with the scope "read"',
      text: `chmod 0600 ${target}\nprintf 'username=token\\npassword=%s\\n' "$TOKEN" >> ${target}`,
      note: 'Never write a token into an address: it would show up in logs.',
    },
  ];
}

function privateZypper({ isPrivate, publicUrl }: Names): Step[] {
  if (!isPrivate) return [];
  return [
    {
      title: 'The repository is private: give the machine a token with the scope "read"',
      text: `install -m 0600 /dev/stdin /etc/zypp/credentials.cat <<END\n[${publicUrl}/]\nusername=token\npassword=$TOKEN\nEND`,
    },
  ];
}

/** Installing one package, by the client of the format. */
export function installCommands(
  format: FormatName,
  name: string,
  version?: string,
): { client: string; text: string }[] {
  if (format === 'apt')
    return [{ client: 'apt', text: `apt-get install ${name}${version === undefined ? '' : `=${version}`}` }];
  // Without an epoch of 0, which dnf takes and zypper does not.
  const evr = version?.replace(/^0:/, '');
  return [
    { client: 'dnf', text: `dnf install ${name}${evr === undefined ? '' : `-${evr}`}` },
    { client: 'zypper', text: `zypper install ${name}${evr === undefined ? '' : `=${evr}`}` },
  ];
}
