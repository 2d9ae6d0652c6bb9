/** Numbers, sizes and times as people read them. */
import { html, type Html } from './html.ts';

/** A number with its noun. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? noun : plural}`;
}

/** A size in units of 1024, as `ls -h` has them. */
export function size(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const shown = unit === 0 || value >= 100 ? Math.round(value).toString() : value.toFixed(1);
  return `${shown} ${units[unit] ?? ''}`;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** A span in its two largest units: `6 d 21 h`. */
export function span(ms: number): string {
  const left = Math.max(0, ms);
  if (left < minute) return `${Math.floor(left / 1000)} s`;
  if (left < hour) return `${Math.floor(left / minute)} min`;
  if (left < day) return pair(left, hour, 'h', minute, 'min');
  return pair(left, day, 'd', hour, 'h');
}

function pair(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`;
}

/** `2026-11-22 10:15 UTC`. */
export function moment(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** A moment, to the second for machines and on hovering. */
export function time(ms: number): Html {
  const iso = new Date(ms).toISOString().replace(/\.\d+/, '');
  return html`<time datetime=${iso} title=${iso}>${moment(ms)}</time>`;
}

/** How long ago a moment was, with the moment itself on hovering. */
export function ago(ms: number, now: number): Html {
  const iso = new Date(ms).toISOString().replace(/\.\d+/, '');
  return html`<time datetime=${iso} title=${iso}>${span(now - ms)} ago</time>`;
}

/** Who did something; a generation that nobody asked for is this server's. */
export function who(actor: string): string {
  return actor === '' ? 'this server' : actor;
}

/** A fingerprint as gpg shows it, for comparing by eye. */
export function groupsOfFour(fingerprint: string): string {
  return fingerprint.toUpperCase().replace(/(.{4})(?=.)/g, '$1 ');
}
