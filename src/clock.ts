/** The one source of the current time; tests put their own in its place. */
export type Clock = { readonly now: () => number };

export const systemClock: Clock = { now: () => Date.now() };
