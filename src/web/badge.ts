/** A badge: a small picture that says which version a channel offers. Text alone, from no other server. */
import { h } from 'preact';
import { render } from 'preact-render-to-string';

export type Badge = { readonly label: string; readonly text: string; readonly state: 'there' | 'absent' };

const grounds = { there: '#1b6a3c', absent: '#5b6168' } as const;
/** Wide enough for most fonts at 11 pixels; the text is fitted into it. */
const pixelsPerCharacter = 7;
const padding = 8;

export function writeBadge({ label, text, state }: Badge): string {
  const [left, right] = [label, text].map((part) => part.length * pixelsPerCharacter) as [number, number];
  const [labelWidth, textWidth] = [left + 2 * padding, right + 2 * padding];
  const width = labelWidth + textWidth;
  const words = (part: string, x: number, length: number) =>
    h('text', { x, y: 14, fill: '#fff', textLength: length, lengthAdjust: 'spacingAndGlyphs' }, part);
  const title = `${label}: ${text}`;
  return render(
    h(
      'svg',
      {
        xmlns: 'http://www.w3.org/2000/svg',
        width,
        height: 20,
        viewBox: `0 0 ${width} 20`,
        role: 'img',
        'aria-label': title,
      },
      h('title', null, title),
      h('rect', { width, height: 20, rx: 3, fill: grounds[state] }),
      h('path', { d: `M3 0h${labelWidth - 3}v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z`, fill: '#2f363c' }),
      h(
        'g',
        { 'font-family': 'DejaVu Sans,Verdana,sans-serif', 'font-size': 11 },
        words(label, padding, left),
        words(text, labelWidth + padding, right),
      ),
    ),
  );
}
