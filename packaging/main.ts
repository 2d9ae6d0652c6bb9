/** `npm run package [DIR]`: the packages of this program, in `dist/` or there. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { buildDebianPackage } from './deb.ts';
import { buildNpmPackage } from './npm.ts';
import { checkout } from './program.ts';

/** The time of the sources: that of the last commit, unless who builds says another. */
function sourceDate(): string {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined) return given;
  return execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: checkout, encoding: 'utf8' }).trim();
}

/** Who answers for the package: as Debian's own tools take it from who builds. The address that is nobody's says so. */
function maintainer(): string {
  const { DEBFULLNAME: name = 'Entrepot maintainers', DEBEMAIL: address = 'nobody@entrepot.invalid' } =
    process.env;
  return `${name} <${address}>`;
}

const target = argv[2] ?? join(checkout, 'dist');
process.stdout.write(`${buildNpmPackage(target)}\n`);
if (existsSync('/usr/bin/dpkg-deb')) {
  const built = buildDebianPackage(target, { epoch: sourceDate(), maintainer: maintainer() });
  process.stdout.write(`${built}\n`);
} else process.stdout.write('no Debian package: dpkg-deb is not here\n');
