/** A random history as a list of steps. Each carries its own randomness, so that others can be left out of it. */
import type { FormatName } from '../../src/formats/package.ts';
import { randomFrom } from '../random.ts';
import type { Blow } from './hazard.ts';
import { partsOf, type ChannelName, type Operation, type State } from './model.ts';
import { universe } from './universe.ts';
import { channels } from './world.ts';

export type Step =
  /** Operations that run at once, each made from its number and the state that it meets. */
  | { readonly kind: 'operate'; readonly seeds: readonly number[]; readonly blow: Blow | null }
  | { readonly kind: 'clock'; readonly ms: number }
  /** In good order, or by a crash while nothing runs; a blow falls during the start. */
  | { readonly kind: 'restart'; readonly crash: boolean; readonly blow: Blow | null };

export type Plan = { readonly seed: number; readonly format: FormatName; readonly steps: readonly Step[] };

type Random = () => number;

const below = (random: Random, count: number): number => Math.floor(random() * count);

function pick<T>(random: Random, items: readonly T[]): T {
  const found = items[below(random, items.length)];
  if (found === undefined) throw new RangeError('nothing to pick from');
  return found;
}

/** A publication writes about forty times; small numbers hit what comes before it. */
function blowOf(random: Random): Blow | null {
  if (random() < 0.6) return null;
  return {
    kind: random() < 0.65 ? 'crash' : 'fail',
    at: 1 + below(random, random() < 0.4 ? 12 : 60),
    after: random() < 0.5,
  };
}

const clockSteps = [1, 400, 1000, 1500, 60_000, 13 * 3_600_000, 4 * 86_400_000];

function stepOf(random: Random): Step {
  const kind = random();
  if (kind < 0.14) return { kind: 'clock', ms: pick(random, clockSteps) * (random() < 0.3 ? -1 : 1) };
  if (kind < 0.2) return { kind: 'restart', crash: random() < 0.5, blow: blowOf(random) };
  const count = kind < 0.7 ? 1 : kind < 0.9 ? 2 : 3;
  return {
    kind: 'operate',
    seeds: Array.from({ length: count }, () => below(random, 2 ** 31)),
    blow: blowOf(random),
  };
}

export function planOf(seed: number): Plan {
  const random = randomFrom(seed);
  const format = random() < 0.5 ? 'apt' : 'yum';
  // Long ones have generations to collect.
  const length = random() < 0.15 ? 12 + below(random, 16) : 3 + below(random, 7);
  return { seed, format, steps: Array.from({ length }, () => stepOf(random)) };
}

/** What is marked is deleted an hour later, and nothing is marked within two hours. */
const ages = [0, 70 * 60_000, 3 * 3_600_000, 5 * 3_600_000];

export type Meeting = {
  readonly format: FormatName;
  readonly state: State;
  readonly heads: Readonly<Record<ChannelName, number>>;
  readonly components: Readonly<Record<ChannelName, ReadonlySet<string>>>;
};

/** What an operation's number means where it is met. Most of what it asks for is there; not all. */
export function operationOf(seed: number, { format, state, heads, components }: Meeting): Operation {
  const random = randomFrom(seed);
  const channel = random() < 0.4 ? 'dev' : pick(random, channels);
  const anySample = (): number => below(random, universe[format].length);
  const held = [...new Set([...state.channels[channel]].map((place) => partsOf(place).sample))];
  const heldSample = (): number => (held.length > 0 && random() < 0.9 ? pick(random, held) : anySample());
  const some = (one: () => number, most: number): number[] =>
    [...new Set(Array.from({ length: 1 + below(random, most) }, one))].sort((a, b) => a - b);
  const component = (): string => pick(random, [...components[channel]]);
  /** Mostly the content that is known, if one is. */
  const contentOf = (sample: number): number => (random() < 0.9 ? (state.contents.get(sample) ?? 0) : 1);
  const force = random() < 0.75;
  const verb = random();
  if (verb < 0.34) {
    const sample = anySample();
    return { verb: 'upload', channel, sample, content: contentOf(sample), component: component() };
  }
  if (verb < 0.4) {
    const sample = anySample();
    return { verb: 'stage', sample, content: contentOf(sample) };
  }
  if (verb < 0.52) {
    const known = [...state.contents.keys()];
    const knownSample = (): number =>
      known.length > 0 && random() < 0.95 ? pick(random, known) : anySample();
    const come = known.length > 0 || random() < 0.2 ? some(knownSample, 4) : [];
    const add = come.map((sample) => ({ sample, content: state.contents.get(sample) ?? 0 }));
    const remove = random() < 0.4 ? some(heldSample, 2).filter((sample) => !come.includes(sample)) : [];
    return { verb: 'publish', channel, add, remove, component: component(), force };
  }
  if (verb < 0.63) return { verb: 'yank', channel, sample: heldSample() };
  if (verb < 0.78) {
    const to = pick(
      random,
      channels.filter((other) => other !== channel),
    );
    const samples = random() < 0.5 ? null : some(heldSample, 3);
    return { verb: 'promote', from: channel, to, samples, exact: random() < 0.3, force };
  }
  if (verb < 0.86) {
    const generation = 1 + below(random, heads[channel] + (random() < 0.1 ? 2 : 0));
    return { verb: 'rollback', channel, generation, force };
  }
  if (verb < 0.89) {
    const [grow, contents] = [random() < 0.5, random() < 0.7];
    return { verb: 'settings', channel, description: `made by ${seed}`, grow, contents };
  }
  if (verb < 0.98) return { verb: 'collect', afterMs: pick(random, ages) };
  return { verb: 'resign' };
}
