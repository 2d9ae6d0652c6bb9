/** A plain SVG of lines over two logarithmic axes: packages in the channel, milliseconds. */

export type Panel = {
  readonly title: string;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
};

const width = 470;
const height = 340;
const margin = { left: 60, right: 30, top: 40, bottom: 45 };
const legendLine = 18;
const colours = ['#0b6e4f', '#888888', '#c1292e', '#e08e00', '#3b5ba5', '#7b4fa0'];

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** Powers of ten that hold all values. */
function decades(values: readonly number[]): [number, number] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  return [low, Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))))];
}

function panelOf({ title, lines }: Panel, offset: number): string[] {
  const points = lines.flatMap((line) => line.points);
  const [x0, x1] = decades(points.map(([x]) => x));
  const [y0, y1] = decades(points.map(([, y]) => y));
  const x = (value: number): number =>
    offset + margin.left + ((Math.log10(value) - x0) / (x1 - x0)) * (width - margin.left - margin.right);
  const y = (value: number): number =>
    height - margin.bottom - ((Math.log10(value) - y0) / (y1 - y0)) * (height - margin.top - margin.bottom);
  const powers = (from: number, to: number): number[] =>
    Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
  const at = (value: number): string => value.toFixed(1);
  const bounds = { left: x(10 ** x0), right: x(10 ** x1), top: y(10 ** y1), bottom: y(10 ** y0) };
  return [
    `<text x="${at(bounds.left)}" y="22" font-weight="bold">${escape(title)}</text>`,
    ...powers(x0, x1).flatMap((value) => [
      `<line x1="${at(x(value))}" x2="${at(x(value))}" y1="${at(bounds.top)}" y2="${at(bounds.bottom)}" stroke="#ddd"/>`,
      `<text x="${at(x(value))}" y="${at(bounds.bottom + 16)}" text-anchor="middle">${value.toLocaleString('en')}</text>`,
    ]),
    ...powers(y0, y1).flatMap((value) => [
      `<line x1="${at(bounds.left)}" x2="${at(bounds.right)}" y1="${at(y(value))}" y2="${at(y(value))}" stroke="#ddd"/>`,
      `<text x="${at(bounds.left - 6)}" y="${at(y(value) + 4)}" text-anchor="end">${value < 1000 ? `${value} ms` : `${value / 1000} s`}</text>`,
    ]),
    `<text x="${at((bounds.left + bounds.right) / 2)}" y="${at(bounds.bottom + 34)}" text-anchor="middle">packages in the channel</text>`,
    ...lines.flatMap((line, i) => {
      const colour = colours[i % colours.length] ?? '#000';
      const path = line.points.map(([px, py]) => `${at(x(px))},${at(y(py))}`).join(' ');
      const legend = height + i * legendLine;
      return [
        `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${line.name === 'floor' ? ' stroke-dasharray="5 4"' : ''}/>`,
        ...line.points.map(
          ([px, py]) => `<circle cx="${at(x(px))}" cy="${at(y(py))}" r="3" fill="${colour}"/>`,
        ),
        `<rect x="${at(bounds.left)}" y="${legend - 9}" width="18" height="4" fill="${colour}"/>`,
        `<text x="${at(bounds.left + 26)}" y="${legend - 3}">${escape(line.name)}</text>`,
      ];
    }),
  ];
}

/** Panels beside each other. */
export function plot(panels: readonly Panel[]): string {
  const lines = Math.max(...panels.map((panel) => panel.lines.length));
  const total = { width: width * panels.length, height: height + lines * legendLine };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total.width} ${total.height}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<rect width="${total.width}" height="${total.height}" fill="#fff"/>`,
    ...panels.flatMap((panel, i) => panelOf(panel, i * width)),
    '</svg>',
    '',
  ].join('\n');
}
