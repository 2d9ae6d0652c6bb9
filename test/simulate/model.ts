/**
 * What a server is, as far as its users are concerned, in a few lines: which packages each channel holds, and as
 * what each identity was uploaded. Every operation is a function from one state to the next, or is refused.
 */
import type { FormatName } from '../../src/formats/package.ts';
import { universe, type Sample } from './universe.ts';
import type { channels } from './world.ts';

export type ChannelName = (typeof channels)[number];

/** A sample's number and its component. */
export type Place = `${number} ${string}`;

export type State = {
  readonly channels: Readonly<Record<ChannelName, ReadonlySet<Place>>>;
  /** The content, 0 or 1, that an identity was uploaded with, by the sample's number. */
  readonly contents: ReadonlyMap<number, number>;
};

/** A sample as one of its contents. */
export type Uploaded = { readonly sample: number; readonly content: number };

/** An operation with everything in it decided; the numbers are those of samples. */
export type Operation =
  | {
      readonly verb: 'upload';
      readonly channel: ChannelName;
      readonly sample: number;
      readonly content: number;
      readonly component: string;
    }
  | { readonly verb: 'stage'; readonly sample: number; readonly content: number }
  | {
      readonly verb: 'publish';
      readonly channel: ChannelName;
      readonly add: readonly Uploaded[];
      readonly remove: readonly number[];
      readonly component: string;
      readonly force: boolean;
    }
  | { readonly verb: 'yank'; readonly channel: ChannelName; readonly sample: number }
  | {
      readonly verb: 'promote';
      readonly from: ChannelName;
      readonly to: ChannelName;
      readonly samples: readonly number[] | null;
      readonly exact: boolean;
      readonly force: boolean;
    }
  | {
      readonly verb: 'rollback';
      readonly channel: ChannelName;
      readonly generation: number;
      readonly force: boolean;
    }
  | {
      readonly verb: 'settings';
      readonly channel: ChannelName;
      readonly description: string;
      readonly grow: boolean;
      readonly contents: boolean;
    }
  /** After some time, which goes by before it. */
  | { readonly verb: 'collect'; readonly afterMs: number }
  | { readonly verb: 'resign' };

/** What the model needs beside the state: it does not change while operations run. */
export type Surroundings = {
  readonly format: FormatName;
  readonly components: Readonly<Record<ChannelName, ReadonlySet<string>>>;
  /** What each generation of a channel held. */
  readonly history: Readonly<Record<ChannelName, readonly (ReadonlySet<Place> | undefined)[]>>;
};

export const placeOf = (sample: number, component: string): Place => `${sample} ${component}`;

export function partsOf(place: Place): { sample: number; component: string } {
  const at = place.indexOf(' ');
  return { sample: Number(place.slice(0, at)), component: place.slice(at + 1) };
}

export function sampleOf(format: FormatName, sample: number): Sample {
  const found = universe[format][sample];
  if (!found) throw new RangeError(`no sample ${sample}`);
  return found;
}

export const startState: State = {
  channels: { dev: new Set(), test: new Set(), prod: new Set() },
  contents: new Map(),
};

function withChannel(state: State, channel: ChannelName, places: ReadonlySet<Place>): State {
  return { ...state, channels: { ...state.channels, [channel]: places } };
}

const ofSample = (places: ReadonlySet<Place>, sample: number): Place[] =>
  [...places].filter((place) => partsOf(place).sample === sample);

/** The next state, or null when the operation is refused. */
export function apply(state: State, operation: Operation, around: Surroundings): State | null {
  switch (operation.verb) {
    case 'upload': {
      const known = withContent(state, operation.sample, operation.content);
      if (!known) return null;
      const place = placeOf(operation.sample, operation.component);
      return withChannel(known, operation.channel, new Set([...known.channels[operation.channel], place]));
    }
    case 'stage':
      return withContent(state, operation.sample, operation.content);
    case 'publish':
      return applyPublish(state, operation);
    case 'yank': {
      const held = state.channels[operation.channel];
      const gone = ofSample(held, operation.sample);
      return gone.length === 0 ? null : withChannel(state, operation.channel, without(held, gone));
    }
    case 'promote':
      return applyPromote(state, operation, around);
    case 'rollback': {
      const then = around.history[operation.channel][operation.generation];
      return then ? withChannel(state, operation.channel, then) : null;
    }
    case 'settings':
    case 'collect':
    case 'resign':
      return state;
  }
}

function without(places: ReadonlySet<Place>, gone: readonly Place[]): ReadonlySet<Place> {
  return new Set([...places].filter((place) => !gone.includes(place)));
}

function withContent(state: State, sample: number, content: number): State | null {
  const known = state.contents.get(sample);
  if (known !== undefined) return known === content ? state : null;
  return { ...state, contents: new Map([...state.contents, [sample, content]]) };
}

function applyPublish(state: State, operation: Operation & { verb: 'publish' }): State | null {
  const { channel, add, remove, component } = operation;
  if (add.some(({ sample, content }) => state.contents.get(sample) !== content)) return null;
  const held = state.channels[channel];
  const gone = remove.map((sample) => ofSample(held, sample));
  if (gone.some((places) => places.length === 0)) return null;
  const come = add.map(({ sample }) => placeOf(sample, component)).filter((place) => !held.has(place));
  return withChannel(state, channel, new Set([...without(held, gone.flat()), ...come]));
}

function applyPromote(
  state: State,
  operation: Operation & { verb: 'promote' },
  around: Surroundings,
): State | null {
  const { from, to, samples, exact } = operation;
  const offered = state.channels[from];
  const chosen = samples ? samples.map((sample) => ofSample(offered, sample)) : [[...offered]];
  if (samples && chosen.some((places) => places.length === 0)) return null;
  const places = chosen.flat();
  if (places.some((place) => !around.components[to].has(partsOf(place).component))) return null;
  return withChannel(state, to, exact ? new Set(places) : new Set([...state.channels[to], ...places]));
}

export const sameSet = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean =>
  a.size === b.size && a.isSubsetOf(b);
