/** Snapshots of apt channels: `snapshots/<id>/dists/<channel>/…`, with the pool beside `dists`. */
import type { SnapshotFormat } from '../format.ts';
import { channelRoot, release, repositoryRoot, snapshotBase, snapshotRoot } from './paths.ts';
import { parseDate } from './release.ts';

const below = /^apt\/([^/]+)\/snapshots\/([^/]+)\/(?:dists\/([^/]+)\/|pool\/)/;
const generation = /^\/(\d{1,15})\/dists\/([^/]+)\/InRelease$/;

export const snapshots: SnapshotFormat = {
  parse: (key) => {
    const match = below.exec(key);
    if (!match) return null;
    const [, repository = '', id = '', channel = null] = match;
    return { repository, id, channel, rest: key.slice(snapshotBase(repository, id).length + 1) };
  },
  frozen: ({ repository, channel, rest }, number) =>
    channel === null
      ? `${repositoryRoot(repository)}/${rest}`
      : `${snapshotBase(repository, String(number))}/${rest}`,
  folder: ({ repository }) => `${repositoryRoot(repository)}/snapshots`,
  numberOf: ({ repository, channel }, key) => {
    const folder = `${repositoryRoot(repository)}/snapshots`;
    const match = key.startsWith(folder) ? generation.exec(key.slice(folder.length)) : null;
    return match?.[2] === channel ? Number(match[1]) : null;
  },
  documentBelow: release.inline,
  document: (place, number) =>
    `${number === null ? channelRoot(place) : snapshotRoot(place, String(number))}/${release.inline}`,
  read: (text) => {
    const signed = /\n\n([^]*?)\n-----BEGIN PGP SIGNATURE/.exec(text)?.[1] ?? '';
    const date = parseDate(/^Date: (.*)$/m.exec(signed)?.[1] ?? '');
    // What is signed for a pinned machine never expires, and what is signed for others has the time of it.
    return date === null ? null : { date, content: signed.replace(/^(Date|Valid-Until): .*\n/gm, '') };
  },
  pin: (place, name, number) => [
    {
      key: `${snapshotBase(place.repository, name)}/pool`,
      target: `${repositoryRoot(place.repository)}/pool`,
    },
    { key: snapshotRoot(place, name), target: snapshotRoot(place, String(number)) },
  ],
};
