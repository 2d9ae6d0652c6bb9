/** The way of a package as a picture: nodes from its source to its channels, and which check ties two. */
import { html, type Html } from './html.ts';
import type { Witness } from './said.ts';

export type ChainNode = {
  readonly title: string;
  readonly lines: readonly string[];
  readonly by: Witness;
  readonly href: string | null;
  /** What ties it to the node before. */
  readonly tie: { readonly text: string; readonly checked: boolean } | null;
};

export type Chain = {
  /** From the source to the file that is served. */
  readonly way: readonly ChainNode[];
  /** Where that file went. */
  readonly channels: readonly ChainNode[];
};

const box = { width: 380, height: 76 };
const step = 128;
const branchX = 610;
const branch = { width: 330, height: 60, step: 84 };
/** Characters that fit a line of a box. */
const lineLength = 46;

/** Beside it stands the same as a list: the picture is for the eye alone. */
export function chainPicture({ way, channels }: Chain): Html {
  const wayHeight = (way.length - 1) * step + box.height;
  const height = Math.max(wayHeight, channels.length * branch.step) + 8;
  const lastY = (way.length - 1) * step + box.height / 2 + 4;
  const top = Math.max(
    4,
    Math.min(height - channels.length * branch.step, lastY - (channels.length * branch.step) / 2),
  );
  const width = channels.length === 0 ? 720 : branchX + branch.width + 4;
  return html`
    <div class="scroll" role="region" aria-label="The chain as a picture" tabindex="0">
      <svg class="chain" width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="chain-title chain-text">
        <title id="chain-title">From source to channels</title>
        <desc id="chain-text">${describe({ way, channels })}</desc>
        ${way.map((node, i) => wayNode(node, i))}
        ${channels.map((_, i) => branchEdge(top + i * branch.step, lastY))}
        ${channels.map((node, i) => branchNode(node, top + i * branch.step))}
      </svg>
    </div>
  `;
}

function describe({ way, channels }: Chain): string {
  const names = way.map(({ title, lines }) => `${title}: ${lines.join(', ')}`).join('. ');
  return channels.length === 0
    ? names
    : `${names}. Published in ${channels.map(({ title }) => title).join(', ')}.`;
}

function clip(text: string): string {
  return text.length <= lineLength
    ? text
    : `${text.slice(0, lineLength / 2)}…${text.slice(-(lineLength / 2 - 1))}`;
}

function wayNode({ title, lines, by, tie }: ChainNode, i: number): Html {
  const y = i * step + 4;
  const middle = 40;
  return html`
    <g>
      ${
        tie &&
        html`
          <line x1=${middle} x2=${middle} y1=${y - step + box.height} y2=${y - 7} class=${tie.checked ? 'edge' : 'edge unchecked'} />
          <path d=${`M${middle - 6} ${y - 9}h12l-6 9z`} class="arrow" />
          <text x=${middle + 16} y=${y - 20} class="tie">${tie.text}</text>
        `
      }
      <rect x="1" y=${y} width=${box.width} height=${box.height} rx="7" class="node" />
      <text x="16" y=${y + 24} class="title">${title}</text>
      <text x=${box.width - 14} y=${y + 24} class="by" text-anchor="end">says ${by}</text>
      ${lines.slice(0, 2).map((line, k) => html`<text x="16" y=${y + 46 + k * 18} class="line">${clip(line)}</text>`)}
    </g>
  `;
}

function branchEdge(y: number, fromY: number): Html {
  const toY = y + branch.height / 2;
  const bend = (box.width + branchX) / 2;
  return html`
    <path d=${`M${box.width + 1} ${fromY}C${bend} ${fromY} ${bend} ${toY} ${branchX - 9} ${toY}`} class="edge" />
    <path d=${`M${branchX - 10} ${toY - 6}v12l9-6z`} class="arrow" />
  `;
}

function branchNode({ title, lines, tie }: ChainNode, y: number): Html {
  return html`
    <g>
      ${tie && html`<text x=${branchX - 16} y=${y + branch.height / 2 - 9} class="tie" text-anchor="end">${tie.text}</text>`}
      <rect x=${branchX} y=${y} width=${branch.width} height=${branch.height} rx="7" class="node" />
      <text x=${branchX + 14} y=${y + 24} class="title">${title}</text>
      <text x=${branchX + 14} y=${y + 46} class="line">${clip(lines.join(', '))}</text>
    </g>
  `;
}
