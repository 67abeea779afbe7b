import { escaped } from './svg.js';

const STYLE = `
:root{color-scheme:light dark;--ground:#f6f8fa;--panel:#fff;--text:#24292f;--faint:#57606a;--line:#d8dee4;--good:#1a7f37;--bad:#cf222e}
@media (prefers-color-scheme:dark){:root{--ground:#0d1117;--panel:#161b22;--text:#e6edf3;--faint:#9da7b3;--line:#30363d;--good:#3fb950;--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1200px;padding:1rem;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .25rem}p{margin:.25rem 0;color:var(--faint)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:1rem;margin-top:1rem}
.plots svg{width:100%;height:auto;border:1px solid var(--line);border-radius:6px}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:6px;background:var(--panel);margin-top:.5rem}
table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}tr:last-child td{border-bottom:0}th{color:var(--faint);font-weight:600}
.passed,.better{color:var(--good)}.missed,.worse{color:var(--bad);font-weight:600}`;

/** A page that needs no other file. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escaped(title)}</title><style>${STYLE}</style></head><body>
${body}</body></html>
`;
}

/** Cells that are a verdict carry it as their class. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: 'td' | 'th') =>
    row
      .map((cell) => {
        const isVerdict = ['passed', 'missed', 'better', 'worse'].includes(cell);
        return `<${tag}${isVerdict ? ` class="${cell}"` : ''}>${escaped(cell)}</${tag}>`;
      })
      .join('');
  const body = rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('');
  return `<div class="scroll"><table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>${body}</tbody></table></div>`;
}
