/** What all plots share: the frame, the colours and the text. A plot is a string of SVG that stands alone. */

export const WIDTH = 560;
export const MARGIN = { left: 64, right: 20 };

/** Okabe and Ito's colours, which most colour-blind people tell apart; yellow is left out, as it pales on white. */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#d55e00', '#cc79a7', '#56b4e9'];

/** Follows the reader's light or dark, and brings its own ground, so that it is legible on any page. */
const STYLE = `
.plot{font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.ground{fill:#fff}.text{fill:#24292f}.faint{fill:#57606a}.title{font-weight:600;font-size:15px}
.grid{stroke:#d8dee4}.axis{stroke:#57606a}.whisker{stroke:#24292f;stroke-width:1.5}
@media (prefers-color-scheme:dark){
.ground{fill:#161b22}.text{fill:#e6edf3}.faint{fill:#9da7b3}
.grid{stroke:#30363d}.axis{stroke:#9da7b3}.whisker{stroke:#e6edf3}}`;

export function colour(index: number): string {
  return COLOURS[index % COLOURS.length] as string;
}

/** @param content SVG within `width` × `height`, below the title */
export function plot(title: string, height: number, content: string, width = WIDTH): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 ${width} ${height}" role="img" ` +
    `aria-label="${escaped(title)}"><style>${STYLE}</style>` +
    `<rect class="ground" width="${width}" height="${height}" rx="6"/>` +
    `${text(16, 26, title, 'text title')}${content}</svg>\n`
  );
}

export function text(
  x: number,
  y: number,
  content: string,
  className = 'text',
  anchor: 'start' | 'middle' | 'end' = 'start',
): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" class="${className}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, className: string): string {
  return `<line x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${fixed(y2)}" class="${className}"/>`;
}

/** @param tip shown when pointed at */
export function bar(x: number, y: number, width: number, height: number, fill: string, tip: string): string {
  return (
    `<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(Math.max(width, 1))}" height="${fixed(height)}" rx="2" ` +
    `fill="${fill}"><title>${escaped(tip)}</title></rect>`
  );
}

export function dot(x: number, y: number, fill: string, tip: string): string {
  return `<circle cx="${fixed(x)}" cy="${fixed(y)}" r="4" fill="${fill}"><title>${escaped(tip)}</title></circle>`;
}

export function path(points: readonly (readonly [number, number])[], stroke: string): string {
  const places = points.map(([x, y]) => `${fixed(x)},${fixed(y)}`).join(' ');
  return `<polyline points="${places}" fill="none" stroke="${stroke}" stroke-width="2.5"/>`;
}

/** Names and their colours in rows that fit the width. */
export function legend(names: readonly string[], top: number): { content: string; height: number } {
  let x = 16;
  let y = top;
  let content = '';
  names.forEach((name, index) => {
    const width = 36 + name.length * 7.6;
    if (x + width > WIDTH && x > 16) {
      x = 16;
      y += 20;
    }
    content += `<rect x="${fixed(x)}" y="${y - 10}" width="12" height="12" rx="2" fill="${colour(index)}"/>`;
    content += text(x + 18, y, name);
    x += width;
  });
  return { content, height: y - top + 20 };
}

export function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}
