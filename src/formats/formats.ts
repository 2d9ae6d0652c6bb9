/** The registration of the formats: one line each. */
import { apt } from './apt/format.ts';
import type { Format } from './format.ts';
import type { FormatName } from './package.ts';
import { yum } from './yum/format.ts';

const formats: Readonly<Record<FormatName, Format>> = { apt, yum };

export const formatNames = Object.keys(formats) as FormatName[];

export function formatOf(name: FormatName): Format {
  return formats[name];
}
