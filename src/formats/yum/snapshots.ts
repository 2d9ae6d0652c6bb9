/** Snapshots of yum channels: `snapshots/<id>/…` beside `generations/<n>/…`, where what they show lies. */
import type { SnapshotFormat } from '../format.ts';
import { channelRoot, generationRoot, repodata, snapshotRoot } from './paths.ts';

const below = /^yum\/([^/]+)\/([^/]+)\/snapshots\/([^/]+)\//;
const generation = /^\/(\d{1,15})\/repodata\/repomd\.xml$/;

export const snapshots: SnapshotFormat = {
  parse: (key) => {
    const match = below.exec(key);
    if (!match) return null;
    const [whole, repository = '', channel = '', id = ''] = match;
    return { repository, channel, id, rest: key.slice(whole.length) };
  },
  frozen: ({ repository, channel, rest }, number) =>
    `${generationRoot({ repository, channel: channel ?? '' }, number)}/${rest}`,
  folder: (place) => `${channelRoot(place)}/generations`,
  numberOf: (place, key) => {
    const folder = `${channelRoot(place)}/generations`;
    const match = key.startsWith(folder) ? generation.exec(key.slice(folder.length)) : null;
    return match ? Number(match[1]) : null;
  },
  documentBelow: repodata.repomd,
  document: (place, number) =>
    `${number === null ? channelRoot(place) : generationRoot(place, number)}/${repodata.repomd}`,
  read: (text) => {
    const date = /<timestamp>(\d{1,12})<\/timestamp>/.exec(text)?.[1];
    return date === undefined ? null : { date: Number(date), content: text };
  },
  pin: (place, name, number) => [{ key: snapshotRoot(place, name), target: generationRoot(place, number) }],
};
