/** What repositories, channels and the like may be called: what is safe in a URL, a path and a deb822 field. */
import { z } from 'zod';

const name = (what: string): z.ZodString =>
  z
    .string()
    .min(1)
    .max(64)
    .regex(
      /^[a-z0-9]([a-z0-9.+-]*[a-z0-9])?$/,
      `${what}: lower-case letters, digits, ".", "+" and "-", starting and ending with a letter or digit`,
    );

export const repositoryName = name('a repository name');

/** Folders that stand beside the channels of a repository in the tree. */
const reserved = new Set(['pool', 'dists', 'snapshots', 'packages', 'repodata', 'generations']);

export const channelName = name('a channel name').refine((text) => !reserved.has(text), {
  error: `a channel name is none of ${[...reserved].join(', ')}`,
});

/** A folder of the pool, beside the initials of the packages: one letter, or "lib" and a letter. */
export const distributionName = name('a distribution name').refine((text) => !/^(.|lib.)$/.test(text), {
  error: 'a distribution name has at least two letters, and is not "lib" and one more',
});

/** A component is a folder of its own: "main", "contrib". */
export const componentName = name('a component name');

/** Beside the numbers of generations and the times that snapshots have. */
export const pinName = name('a pin').refine((text) => /^[a-z]/.test(text), {
  error: 'a pin starts with a letter: numbers are those of generations',
});

/** One line of text for a deb822 field, a `.repo` file or a page. */
export const lineOfText = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(
    /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$/u,
    'one line of text without control characters',
  );
