/** Documents beside the packages of a yum channel, made for packages of `rpmSample`. */

/** One advisory for each package, of version 2.0-1. */
export function updateinfo(...names: readonly string[]): string {
  const updates = names.map(
    (name, i) => `  <update from="security@acme.example" status="stable" type="security" version="1">
    <id>ACME-2026:${i + 1}</id>
    <title>${name} &amp; its safety</title>
    <severity>Important</severity>
    <issued date="2026-11-22 10:15:00"/>
    <updated date="2026-11-23"/>
    <references>
      <reference href="https://acme.example/?a=1&amp;id=${i + 1}" id="CVE-2026-${1000 + i}" type="cve" title="CVE-2026-${1000 + i}"/>
    </references>
    <description>Hostile input ended ${name}.</description>
    <pkglist>
      <collection short="acme">
        <name>Acme</name>
        <package name="${name}" version="2.0" release="1" epoch="0" arch="x86_64" src="${name}-2.0-1.src.rpm">
          <filename>${name}-2.0-1.x86_64.rpm</filename>
        </package>
      </collection>
    </pkglist>
  </update>
`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n${updates.join('')}</updates>\n`;
}

/** A group `tools` of these packages, and an environment of it. */
export function comps(...names: readonly string[]): string {
  const wanted = names.map((name) => `      <packagereq type="mandatory">${name}</packagereq>\n`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
  <group>
    <id>tools</id>
    <name>Acme Tools</name>
    <name xml:lang="de">Werkzeug von Acme</name>
    <description>What Acme works with</description>
    <default>true</default>
    <uservisible>true</uservisible>
    <packagelist>
${wanted.join('')}    </packagelist>
  </group>
  <environment>
    <id>workshop</id>
    <name>Acme Workshop</name>
    <description>All of it</description>
    <grouplist>
      <groupid>tools</groupid>
    </grouplist>
  </environment>
</comps>
`;
}

/** A stream of a module of one package, and it as the default. */
export function modules(name: string, stream = '1.10'): string {
  return `---
document: modulemd
version: 2
data:
  name: ${name}-module
  stream: ${stream}
  version: 20261123101500
  context: 6c81f848
  arch: x86_64
  summary: ${name} as a module
  description: >-
    ${name}, in a version of one's own choice.
  license:
    module:
    - MIT
  profiles:
    common:
      rpms:
      - ${name}
  api:
    rpms:
    - ${name}
  artifacts:
    rpms:
    - ${name}-0:2.0-1.x86_64
...
---
document: modulemd-defaults
version: 1
data:
  module: ${name}-module
  stream: ${stream}
  profiles:
    ${stream}: [common]
...
`;
}
