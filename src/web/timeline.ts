/** The last generations of a channel as bars: what came above the line, what went below it. */
import { html, type Html } from './html.ts';
import { moment } from './words.ts';

export type Bar = {
  readonly generation: number;
  readonly at: number;
  readonly cause: string;
  readonly added: number;
  readonly removed: number;
};

const barWidth = 14;
const gap = 4;
const half = 34;

/** Heights grow with the logarithm: one package and ten thousand fit one picture. */
function height(number: number, most: number): number {
  if (number === 0) return 0;
  return Math.max(3, Math.round((Math.log2(number + 1) / Math.log2(most + 1)) * half));
}

/** `bars`: the oldest first. The list beside it has the same data as text. */
export function timeline(name: string, bars: readonly Bar[]): Html {
  const most = Math.max(1, ...bars.map(({ added, removed }) => Math.max(added, removed)));
  const width = bars.length * (barWidth + gap);
  return html`
    <div class="scroll" role="region" aria-label=${`Timeline of ${name}`} tabindex="0">
      <svg class="timeline" width=${width} height=${2 * half + 2} viewBox="0 0 ${width} ${2 * half + 2}" role="img" aria-label=${`The last ${bars.length} generations of ${name}: packages added and removed`}>
        <line x1="0" x2=${width} y1=${half + 1} y2=${half + 1} class="axis" />
        ${bars.map(({ generation, at, cause, added, removed }, i) => {
          const x = i * (barWidth + gap) + gap / 2;
          const [up, down] = [height(added, most), height(removed, most)];
          return html`
            <g>
              <title>Generation ${generation}, ${moment(at)}, ${cause}: ${added} added, ${removed} removed</title>
              <rect x=${x} y="0" width=${barWidth} height=${2 * half + 2} class="touch" />
              <rect x=${x} y=${half - up} width=${barWidth} height=${up} class="added" rx="1.5" />
              <rect x=${x} y=${half + 2} width=${barWidth} height=${down} class="removed" rx="1.5" />
            </g>
          `;
        })}
      </svg>
    </div>
  `;
}
