/**
 * Runs a plan on a simulated server and holds what clients find after each step against the model. Operations that
 * ran at once have to have happened in some order: those that were answered all did, those that were refused none,
 * and those that a crash cut off each as a whole or not at all.
 */
import type { Catalog } from '../../src/db/catalog.ts';
import { AppError } from '../../src/errors.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import {
  apply,
  partsOf,
  placeOf,
  sameSet,
  sampleOf,
  startState,
  type ChannelName,
  type Operation,
  type Place,
  type State,
  type Surroundings,
} from './model.ts';
import { Crashed, type Blow } from './hazard.ts';
import { hasDryRun, perform, type Answer } from './perform.ts';
import { operationOf, type Plan, type Step } from './plan.ts';
import { TreeReader, type View } from './served-view.ts';
import { universe } from './universe.ts';
import { channels, keepTimes, Machine, recover, repository, type Ground, type Life } from './world.ts';

export class Divergence extends Error {}

function diverge(message: string): never {
  throw new Divergence(message);
}

type Outcome = 'done' | 'refused' | 'failed' | 'lost';
type Performed = {
  readonly operation: Operation;
  readonly outcome: Outcome;
  readonly answer: Answer | null;
  readonly error: unknown;
};

/** What is known of a channel beside its packages. */
type Seen = {
  head: number;
  /** What each generation holds, by its number. */
  readonly history: (ReadonlySet<Place> | undefined)[];
  date: number;
  architectures: readonly string[];
  components: Set<string>;
  /** Generations whose files may be gone. */
  readonly collected: Set<number>;
  readonly pointers: Map<string, { bytes: Buffer; lastModifiedMs: number }>;
};

/** What a history came to, for a record of many. */
export type Figures = {
  collected: number;
  operations: number;
  generations: number;
  crashes: number;
  failures: number;
  refusals: number;
};

type Digests = ReadonlyMap<number, { readonly served: string; readonly content: number }>;

export class History {
  readonly #ground: Ground;
  readonly #plan: Plan;
  readonly #machine: Machine;
  readonly #reader: TreeReader;
  readonly #db: Catalog;
  readonly #seen: Record<ChannelName, Seen>;
  #life: Life;
  #state = startState;
  readonly figures: Figures = {
    collected: 0,
    operations: 0,
    generations: 0,
    crashes: 0,
    failures: 0,
    refusals: 0,
  };
  /** What happened, a line for each step. */
  readonly log: string[] = [];

  constructor(ground: Ground, plan: Plan) {
    this.#ground = ground;
    this.#plan = plan;
    this.#machine = Machine.fresh(ground, plan.format);
    this.#reader = new TreeReader(this.#machine.look(), ground.signer.key);
    this.#db = this.#machine.observe();
    this.#life = this.#machine.boot(ground);
    const start = (): Seen => ({
      head: 1,
      history: [new Set(), new Set()],
      date: 0,
      architectures: [],
      components: new Set(['main']),
      collected: new Set(),
      pointers: new Map(),
    });
    this.#seen = { dev: start(), test: start(), prod: start() };
  }

  /** Throws Divergence, Torn, or whatever else should not be. */
  async run(): Promise<void> {
    try {
      for (const step of this.#plan.steps) await this.#step(step);
      await this.#checkAllGenerations();
      const faults = await Array.fromAsync(
        checkEverything({ db: this.#db, store: this.#machine.look() }, { alone: true }),
      );
      if (faults.length > 0) diverge(`fsck: ${JSON.stringify(faults)}`);
    } finally {
      this.#machine.database.close();
    }
  }

  async #step(step: Step): Promise<void> {
    if (step.kind === 'clock') {
      this.#machine.clock.advance(step.ms);
      this.log.push(`clock ${step.ms} ms`);
      return;
    }
    if (step.kind === 'restart') {
      this.log.push(step.crash ? 'crash while nothing runs' : 'restart');
      await this.#restart(step.blow);
      await this.#settle([]);
      return;
    }
    const { format } = this.#plan;
    const met = {
      format,
      state: this.#state,
      heads: this.#each(({ head }) => head),
      components: this.#each(({ components }) => components),
    };
    const operations = step.seeds.map((seed) => operationOf(seed, met));
    const [only] = operations;
    const planned =
      operations.length === 1 && only && hasDryRun(only) ? await this.#attempt(only, true) : null;
    this.#life.hazard.expect(step.blow);
    const performed = await Promise.all(operations.map((operation) => this.#attempt(operation)));
    this.#note(performed, step.blow);
    const { struck, dead } = this.#life.hazard;
    if (struck && !dead) this.figures.failures += 1;
    this.#life.hazard.expect(null);
    if (struck && !dead) await this.#makeUp(performed);
    if (dead) {
      await this.#checkAsLeft();
      await this.#restart(null);
    }
    await this.#settle(performed);
    if (planned && performed[0]) this.#checkDryRun(planned, performed[0]);
  }

  #each<T>(of: (seen: Seen) => T): Record<ChannelName, T> {
    const { dev, test, prod } = this.#seen;
    return { dev: of(dev), test: of(test), prod: of(prod) };
  }

  async #attempt(operation: Operation, dryRun = false): Promise<Performed> {
    const { hazard } = this.#life;
    try {
      const answer = await perform(this.#life, this.#plan.format, operation, dryRun);
      // It swallows what went wrong and tries again the next time.
      if (operation.verb === 'resign' && hazard.struck)
        return { operation, outcome: 'lost', answer: null, error: null };
      return { operation, outcome: 'done', answer, error: null };
    } catch (error) {
      const outcome = error instanceof Crashed || hazard.dead ? 'lost' : hazard.struck ? 'failed' : 'refused';
      if (outcome === 'refused' && !(error instanceof AppError)) throw error;
      return { operation, outcome, answer: null, error };
    }
  }

  /** What follows a failure: the server looks at it again after a minute, and whoever was refused asks again. */
  async #makeUp(performed: readonly Performed[]): Promise<void> {
    await this.#life.publisher.showUnshown();
    for (const { operation, outcome } of performed)
      if (operation.verb === 'settings' && outcome === 'failed')
        await perform(this.#life, this.#plan.format, operation);
  }

  #note(performed: readonly Performed[], blow: Blow | null): void {
    const { struck } = this.#life.hazard;
    for (const { operation, outcome, answer, error } of performed) {
      this.figures.operations += 1;
      if (outcome === 'refused') this.figures.refusals += 1;
      const how =
        outcome === 'done' ? `generation ${answer?.generation ?? '-'}` : `${outcome}: ${String(error)}`;
      this.log.push(`${JSON.stringify(operation)} -> ${how}`);
    }
    if (blow && struck) this.log.push(`  ${blow.kind} ${blow.after ? 'after' : 'before'} write ${blow.at}`);
  }

  /** Starts the server anew on what is there, which may crash on its way, and then again without. */
  async #restart(blow: Blow | null): Promise<void> {
    let expected = blow?.kind === 'crash' ? blow : null;
    for (;;) {
      this.figures.crashes += 1;
      this.#life.hazard.die();
      this.#machine.loseTransaction();
      this.#life = this.#machine.boot(this.#ground);
      this.#life.hazard.expect(expected);
      try {
        await recover(this.#life);
        this.#life.hazard.expect(null);
        return;
      } catch (error) {
        if (!(error instanceof Crashed)) throw error;
        this.log.push('  crash during the start');
        await this.#checkAsLeft();
        expected = null;
      }
    }
  }

  #root(channel: ChannelName, generation?: number): string {
    if (this.#plan.format === 'yum')
      return `yum/${repository}/${channel}${generation === undefined ? '' : `/generations/${generation}`}`;
    const base = `apt/${repository}${generation === undefined ? '' : `/snapshots/${generation}`}`;
    return `${base}/dists/${channel}`;
  }

  async #view(channel: ChannelName, generation?: number): Promise<View> {
    return await this.#reader[this.#plan.format](this.#root(channel, generation));
  }

  /** Between a crash and the next start machines read on: whatever they find is whole. */
  async #checkAsLeft(): Promise<void> {
    for (const channel of channels) {
      if (this.#plan.format === 'apt') await this.#reader.checkFiles((await this.#view(channel)).files);
      else await this.#reader.checkMetalink(this.#root(channel));
    }
  }

  async #digests(): Promise<Digests> {
    const rows = await this.#db
      .selectFrom('packages')
      .select(['name', 'version', 'architecture', 'sha256', 'uploaded_sha256'])
      .execute();
    const samples = universe[this.#plan.format];
    return new Map(
      rows.map(({ name, version, architecture, sha256: served, uploaded_sha256: uploaded }) => {
        const sample = samples.findIndex(({ identity }) => identity === `${name} ${version} ${architecture}`);
        const content = samples[sample]?.contents.findIndex(({ sha256 }) => sha256 === uploaded) ?? -1;
        if (content === -1) diverge(`${name} ${version} ${architecture} is kept as nobody sent it`);
        return [sample, { served, content }];
      }),
    );
  }

  /** The set of packages that a view shows, with every index as it has to be for that set. */
  #placesOf(view: View, digests: Digests, what: string): ReadonlySet<Place> {
    const { format } = this.#plan;
    const samples = universe[format];
    const places = new Set<Place>();
    for (const entry of view.entries) {
      const [index = '', name, version, architecture] = entry.replace(': ', ' ').split(' ');
      const sample = samples.findIndex(({ identity }) => identity === `${name} ${version} ${architecture}`);
      if (sample === -1) diverge(`${what} shows ${entry}`);
      places.add(placeOf(sample, format === 'apt' ? index.slice(0, index.indexOf('/')) : 'main'));
    }
    const expected = this.#entriesOf(places, view, digests);
    if (expected.join('\n') !== view.entries.join('\n'))
      diverge(`${what}: the indexes are\n${view.entries.join('\n')}\nand should be\n${expected.join('\n')}`);
    return places;
  }

  #entriesOf(places: ReadonlySet<Place>, view: View, digests: Digests): string[] {
    const { format } = this.#plan;
    return [...places]
      .flatMap((place) => {
        const { sample, component } = partsOf(place);
        const { identity, architecture } = sampleOf(format, sample);
        const entry = `${identity} ${digests.get(sample)?.served ?? 'unknown'}`;
        if (format === 'yum') return [`: ${entry}`];
        const indexes = architecture === 'all' ? view.architectures : [architecture];
        return indexes.map((one) => `${component}/binary-${one}: ${entry}`);
      })
      .sort();
  }

  /** Reads everything that clients can and finds the order of the operations that explains it. */
  async #settle(performed: readonly Performed[]): Promise<void> {
    const digests = await this.#digests();
    const arrived: Record<ChannelName, ReadonlySet<Place>[]> = { dev: [], test: [], prod: [] };
    const now: Partial<Record<ChannelName, ReadonlySet<Place>>> = {};
    for (const channel of channels) {
      const seen = this.#seen[channel];
      const rows = await this.#db
        .selectFrom('generations')
        .select(['number', 'date'])
        .where('channel', '=', `${repository}/${channel}`)
        .where('number', '>', seen.head)
        .orderBy('number')
        .execute();
      for (const { number, date } of rows) {
        if (number !== seen.head + arrived[channel].length + 1)
          diverge(`${channel}: generation ${number} follows a gap`);
        const view = await this.#view(channel, number);
        if (date < seen.date) diverge(`${channel}: generation ${number} has an earlier date`);
        const places = this.#placesOf(view, digests, `${channel} ${number}`);
        arrived[channel].push(places);
      }
      now[channel] = await this.#checkHead(channel, digests);
      const last = arrived[channel].at(-1) ?? seen.history[seen.head];
      if (!last || !sameSet(last, now[channel])) diverge(`${channel}: the head is not its last generation`);
    }
    const contents = new Map([...digests].map(([sample, { content }]) => [sample, content]));
    this.#state = this.#explain(performed, arrived, contents);
    for (const channel of channels) this.#adopt(channel, arrived[channel]);
    for (const channel of channels) await this.#checkCollected(channel, performed);
    this.#checkAnswers(performed);
  }

  /** What is collected was needed no more; and a collection that nothing came between left nothing else of that kind. */
  async #checkCollected(channel: ChannelName, performed: readonly Performed[]): Promise<void> {
    const { head, collected } = this.#seen[channel];
    const rows = await this.#db
      .selectFrom('generations')
      .select(['number', 'committed_at', 'collected_at'])
      .where('channel', '=', `${repository}/${channel}`)
      .execute();
    const committed = new Map(rows.map((row) => [row.number, row.committed_at]));
    const gone = new Set(rows.flatMap((row) => (row.collected_at === null ? [] : [row.number])));
    const since = this.#machine.clock.now() - keepTimes.graceMs;
    const [only] = performed;
    const alone = performed.length === 1 && only?.operation.verb === 'collect' && only.outcome === 'done';
    for (const { number, collected_at } of rows) {
      const isLast = number > head - 3;
      const isNeeded = isLast || (committed.get(number + 1) ?? 0) > since;
      if (collected_at === null) {
        if (alone && !isNeeded) diverge(`${channel}: generation ${number} was not collected`);
        continue;
      }
      if (collected.has(number)) continue;
      if (!performed.some(({ operation }) => operation.verb === 'collect'))
        diverge(`${channel}: generation ${number} was collected by nobody`);
      // Where the next one is gone, this one goes with it, whatever the clock said in between.
      if (isLast || (isNeeded && !gone.has(number + 1)))
        diverge(`${channel}: generation ${number} was collected`);
      collected.add(number);
      this.figures.collected += 1;
    }
  }

  /** What is being served now, with all that holds when nothing is being written. */
  async #checkHead(channel: ChannelName, digests: Digests): Promise<ReadonlySet<Place>> {
    const { format } = this.#plan;
    const seen = this.#seen[channel];
    const root = this.#root(channel);
    const view = await this.#view(channel);
    await this.#reader.checkPairs(format, root);
    await this.#reader.checkFiles(view.files);
    if (view.date < seen.date) diverge(`${channel}: Date went back from ${seen.date} to ${view.date}`);
    seen.date = view.date;
    for (const architecture of seen.architectures)
      if (!view.architectures.includes(architecture))
        diverge(`${channel} lost the architecture ${architecture}`);
    seen.architectures = view.architectures;
    for (const component of format === 'apt' ? seen.components : [])
      if (!view.components.includes(component)) diverge(`${channel} lost the component ${component}`);
    if (format === 'apt') seen.components = new Set(view.components);
    const pointers = format === 'apt' ? ['InRelease', 'Release'] : ['metalink', 'repodata/repomd.xml'];
    for (const name of pointers) {
      const bytes = await this.#reader.read(`${root}/${name}`);
      const lastModifiedMs = await this.#reader.lastModified(`${root}/${name}`);
      const before = seen.pointers.get(name);
      if (before && !before.bytes.equals(bytes) && lastModifiedMs < before.lastModifiedMs + 1000)
        diverge(`${channel}/${name} changed and a client that asks by time does not see it`);
      seen.pointers.set(name, { bytes, lastModifiedMs });
    }
    return this.#placesOf(view, digests, channel);
  }

  #explain(
    performed: readonly Performed[],
    arrived: Readonly<Record<ChannelName, readonly ReadonlySet<Place>[]>>,
    contents: ReadonlyMap<number, number>,
  ): State {
    const around: Surroundings = {
      format: this.#plan.format,
      components: this.#each(({ components }) => components),
      history: this.#each(({ history }) => history),
    };
    for (const timeline of ordersOf(performed).flatMap(timelines)) {
      const states = follow(this.#state, timeline, around, performed);
      const last = states?.at(-1);
      if (!states || !last || !sameContents(last.contents, contents)) continue;
      const fits = channels.every((channel) => {
        const repeats = this.#mayRepeat(channel, performed);
        return passes(
          arrived[channel],
          states.map((state) => state.channels[channel]),
          repeats,
        );
      });
      if (fits) return last;
    }
    const show = (places: ReadonlySet<Place>): string => `{${[...places].sort().join(', ')}}`;
    const before = channels.map((channel) => `${channel} ${show(this.#state.channels[channel])}`);
    const after = channels.map(
      (channel) => `${channel} ${arrived[channel].map(show).join(' then ') || '(as before)'}`,
    );
    diverge(
      `no order of the operations explains\n  before: ${before.join('; ')}\n  after: ${after.join('; ')}\n` +
        `  uploaded before: ${JSON.stringify([...this.#state.contents])}, after: ${JSON.stringify([...contents])}`,
    );
  }

  /** Whether a generation may come that holds what the one before it held: settings make one. */
  #mayRepeat(channel: ChannelName, performed: readonly Performed[]): boolean {
    return performed.some(({ operation }) => operation.verb === 'settings' && operation.channel === channel);
  }

  #adopt(channel: ChannelName, arrived: readonly ReadonlySet<Place>[]): void {
    const seen = this.#seen[channel];
    seen.history.push(...arrived);
    seen.head += arrived.length;
    this.figures.generations += arrived.length;
  }

  /** An answer names a generation that there is, and that holds what was asked for. */
  #checkAnswers(performed: readonly Performed[]): void {
    for (const { operation, answer } of performed) {
      if (!answer?.channel || answer.generation === null) continue;
      const { head, history } = this.#seen[answer.channel];
      if (answer.generation > head)
        diverge(`${answer.channel}: generation ${answer.generation} was answered`);
      if (operation.verb !== 'upload' || performed.length > 1) continue;
      const place = placeOf(operation.sample, operation.component);
      if (!history[answer.generation]?.has(place))
        diverge(`${answer.channel}: generation ${answer.generation} was answered and holds no ${place}`);
    }
  }

  /** The dry run answered just what the real one did. */
  #checkDryRun(planned: Performed, real: Performed): void {
    if (real.outcome === 'lost' || real.outcome === 'failed') return;
    if (real.outcome === 'refused') {
      const code = real.error instanceof AppError ? real.error.code : '';
      if (planned.outcome === 'done' && code !== 'needs_force')
        diverge(`the dry run went well, the real one: ${String(real.error)}`);
      if (planned.answer?.report?.warnings.length === 0)
        diverge('refused for warnings that the dry run has not');
      return;
    }
    const told = ({ answer }: Performed): string => {
      const { plan, added, removed, moves, warnings, generation } = answer?.report ?? {};
      return JSON.stringify({ plan, added, removed, moves, warnings, generation });
    };
    if (told(planned) !== told(real))
      diverge(`the dry run said ${told(planned)}, the real one ${told(real)}`);
  }

  /** Every generation is still what it was. */
  async #checkAllGenerations(): Promise<void> {
    const digests = await this.#digests();
    for (const channel of channels) {
      const { head, history, collected } = this.#seen[channel];
      for (let number = 1; number <= head; number++) {
        if (collected.has(number)) continue;
        const view = await this.#view(channel, number);
        await this.#reader.checkFiles(view.files);
        const places = this.#placesOf(view, digests, `${channel} ${number}`);
        const then = history[number];
        if (!then || !sameSet(places, then)) diverge(`${channel}: generation ${number} is not what it was`);
      }
    }
  }
}

function sameContents(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  return a.size === b.size && [...a].every(([sample, content]) => b.get(sample) === content);
}

/** Every order of what may have happened: what is lost may be left out, what failed is. */
function* ordersOf(performed: readonly Performed[]): Generator<readonly Performed[]> {
  const lost = performed.filter(({ outcome }) => outcome === 'lost');
  const sure = performed.filter(({ outcome }) => outcome === 'done' || outcome === 'refused');
  for (let chosen = 0; chosen < 2 ** lost.length; chosen++)
    yield* permutations([...sure, ...lost.filter((_, bit) => (chosen >> bit) % 2 === 1)]);
}

function* permutations<T>(items: readonly T[]): Generator<readonly T[]> {
  if (items.length <= 1) yield items;
  else
    for (const [at, item] of items.entries())
      for (const rest of permutations([...items.slice(0, at), ...items.slice(at + 1)])) yield [item, ...rest];
}

/** An operation, or the two halves of one: what it changes is worked out, and then done. */
type Moment = { readonly of: Performed; readonly part: 'whole' | 'plan' | 'do' };

/**
 * Between what a change works out and what it does, uploads come into its channel, and stay; and other channels
 * change: a promotion takes what its source held when it was looked at.
 */
function* timelines(order: readonly Performed[]): Generator<readonly Moment[]> {
  const [first, ...rest] = order;
  if (!first) {
    yield [];
    return;
  }
  const target = changedBy(first.operation);
  const passesBy = (moment: Moment | undefined): boolean =>
    moment !== undefined &&
    (moment.of.operation.verb === 'upload' || changedBy(moment.of.operation) !== target);
  for (const later of timelines(rest)) {
    yield [{ of: first, part: 'whole' }, ...later];
    if (target === null || first.outcome === 'refused') continue;
    for (let at = 1; passesBy(later[at - 1]); at++)
      yield [
        { of: first, part: 'plan' },
        ...later.slice(0, at),
        { of: first, part: 'do' },
        ...later.slice(at),
      ];
  }
}

/** The channel that a change is made to, by whom it is worked out first; null for everything else. */
function changedBy(operation: Operation): ChannelName | null {
  switch (operation.verb) {
    case 'publish':
    case 'yank':
    case 'rollback':
      return operation.channel;
    case 'promote':
      return operation.to;
    case 'upload':
    case 'stage':
    case 'settings':
    case 'collect':
    case 'resign':
      return null;
  }
}

/** The states on the way, the first one included; null when the answers are not those of that order. */
function follow(
  start: State,
  timeline: readonly Moment[],
  around: Surroundings,
  performed: readonly Performed[],
): State[] | null {
  const states = [start];
  const plans = new Map<Performed, { readonly before: State; readonly after: State }>();
  // An identity is taken while its upload runs, also when nothing comes of it.
  const disturbed =
    performed.length > 1 && performed.some(({ outcome }) => outcome === 'failed' || outcome === 'lost');
  for (const { of, part } of timeline) {
    const state = states.at(-1) ?? start;
    const planned = part === 'do' ? plans.get(of) : undefined;
    const next = planned ? merge(state, planned) : apply(state, of.operation, around);
    if (of.outcome === 'refused') {
      const { operation, error } = of;
      const code = error instanceof AppError ? error.code : '';
      if (
        code === 'needs_force'
          ? !('force' in operation) || operation.force
          : next && !disturbed && !mayBeGone(of)
      )
        return null;
    } else if (!next) return null;
    else if (part === 'plan') plans.set(of, { before: state, after: next });
    else states.push(next);
  }
  return states;
}

/** A package of no channel, or of an old generation, whose file was collected: which one that is the server knows. */
function mayBeGone({ operation, error }: Performed): boolean {
  return (
    error instanceof AppError &&
    error.code === 'package_collected' &&
    (operation.verb === 'publish' || operation.verb === 'rollback' || operation.verb === 'promote')
  );
}

/** Does to a state what was worked out for another one. */
function merge(state: State, { before, after }: { readonly before: State; readonly after: State }): State {
  const merged = (channel: ChannelName): ReadonlySet<Place> => {
    const added = after.channels[channel].difference(before.channels[channel]);
    const removed = before.channels[channel].difference(after.channels[channel]);
    return state.channels[channel].difference(removed).union(added);
  };
  return { ...state, channels: { dev: merged('dev'), test: merged('test'), prod: merged('prod') } };
}

/** Whether generations show states of a sequence in its order, the last one at the end, and none twice in a row. */
function passes(
  generations: readonly ReadonlySet<Place>[],
  states: readonly ReadonlySet<Place>[],
  repeats: boolean,
): boolean {
  const [first, ...rest] = states;
  const last = generations.at(-1) ?? first;
  const end = states.at(-1);
  if (!first || !last || !end || !sameSet(last, end)) return false;
  let before = first;
  let at = 0;
  for (const generation of generations) {
    if (sameSet(generation, before)) {
      if (!repeats) return false;
      continue;
    }
    while (at < rest.length && !sameSet(rest[at] ?? new Set(), generation)) at++;
    if (at === rest.length) return false;
    before = generation;
  }
  return true;
}
