/**
 * The stylesheet of every page that people read. The custom properties at the top are its tokens, for both colour schemes
 * in one list. It uses four sizes of type and a grid of 4 px, and loads no fonts and no images.
 */
export const STYLE = `:root {
  color-scheme: light dark;
  --ground: light-dark(#ffffff, #14171a);
  --raised: light-dark(#f5f6f8, #1d2125);
  --line: light-dark(#d5dae0, #343a41);
  --text: light-dark(#1b1f24, #e6e9ec);
  --quiet: light-dark(#57606a, #9ba5af);
  --accent: light-dark(#0b57d0, #82b4ff);
  --marked: light-dark(#eef4ff, #1a2738);
  --good: light-dark(#176a34, #6fcf8a);
  --waiting: light-dark(#6a3fb0, #c0a3f5);
  --warning: light-dark(#8a5200, #e3ac4f);
  --bad: light-dark(#b3261e, #ff8d84);
  --off: var(--quiet);
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  --small: 12px;
  --table: 13px;
  --body: 14px;
  --title: 20px;
  --unit: 4px;
  --round: 4px;
  --wide: 1280px;
}
* { box-sizing: border-box; }
html { scroll-padding-top: calc(4 * var(--unit)); }
body {
  margin: 0;
  background: var(--ground);
  color: var(--text);
  font: var(--body) / 20px var(--sans);
  font-variant-numeric: tabular-nums;
  overflow-wrap: break-word;
}
a { color: var(--accent); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
main:focus { outline: none; }
.skip { position: absolute; left: -10000px; padding: calc(2 * var(--unit)); background: var(--raised); }
.skip:focus { left: calc(2 * var(--unit)); top: calc(2 * var(--unit)); z-index: 1; }

.banner {
  display: flex;
  flex-wrap: wrap;
  justify-content: space-between;
  gap: var(--unit) calc(4 * var(--unit));
  padding: calc(3 * var(--unit)) calc(4 * var(--unit));
  border-bottom: 1px solid var(--line);
  background: var(--raised);
}
.banner a:first-child { color: inherit; font-weight: 600; text-decoration: none; }
.shell { display: grid; grid-template-columns: 176px minmax(0, 1fr); max-width: var(--wide); }
.rail { padding: calc(4 * var(--unit)); }
.rail ul { position: sticky; top: calc(4 * var(--unit)); margin: 0; padding: 0; list-style: none; }
.rail a { display: block; padding: var(--unit) calc(2 * var(--unit)); border-radius: var(--round); color: inherit; text-decoration: none; }
.rail a:hover { text-decoration: underline; }
.rail [aria-current] { background: var(--marked); box-shadow: inset 3px 0 var(--accent); font-weight: 600; }
main { min-width: 0; padding: calc(4 * var(--unit)) calc(6 * var(--unit)) calc(16 * var(--unit)); }

h1, h2, h3, h4 { line-height: 1.3; text-wrap: balance; }
h1, h2 { font-size: var(--title); }
h1 { margin: 0 0 calc(3 * var(--unit)); }
h2 { margin: calc(10 * var(--unit)) 0 calc(2 * var(--unit)); font-weight: 600; }
h3, h4 { margin: calc(5 * var(--unit)) 0 calc(2 * var(--unit)); font-size: var(--body); font-weight: 600; }
h4 { color: var(--quiet); }
:is(h2, h3) > a { color: inherit; text-decoration: none; }
:is(h2, h3) > a:hover { text-decoration: underline; }
p, dl, pre, table, details { margin: 0 0 calc(3 * var(--unit)); }
p, dd, dt { max-width: 80ch; }
dt { font-weight: 600; }
dt:target { background: var(--marked); }
dd { margin: 0 0 calc(2 * var(--unit)); }
.facts, small { color: var(--quiet); font-size: var(--small); line-height: 16px; }
small.required { color: var(--warning); font-weight: 600; }

.operation, .error, .object { border-top: 1px solid var(--line); margin-top: calc(8 * var(--unit)); }
.error, .object { margin-top: calc(5 * var(--unit)); }
.operation > h2 { margin-top: calc(5 * var(--unit)); }
section:target { box-shadow: -3px 0 var(--accent); padding-left: calc(3 * var(--unit)); margin-left: calc(-3 * var(--unit)); }
.call code { font-size: var(--table); }
.method { display: inline-block; min-width: 48px; font: 600 var(--small) / 16px var(--mono); color: var(--accent); }
.method.get { color: var(--good); }
.method.delete { color: var(--bad); }
.status { font-weight: 600; white-space: nowrap; }
.status::before { content: "●"; margin-right: var(--unit); font-size: var(--small); }
.status.warning::before { content: "▲"; }
.status.bad::before { content: "■"; }
.good { color: var(--good); }
.warning { color: var(--warning); }
.bad { color: var(--bad); }

code, pre { font-family: var(--mono); font-size: var(--small); }
code { overflow-wrap: anywhere; }
:is(p, dd, dt, li, .reasons td) > code { padding: 1px var(--unit); border-radius: 2px; background: var(--raised); }
pre { padding: calc(3 * var(--unit)); border: 1px solid var(--line); border-radius: var(--round); background: var(--raised); line-height: 18px; white-space: pre-wrap; tab-size: 2; }
details { border: 1px solid var(--line); border-radius: var(--round); }
summary { padding: calc(2 * var(--unit)) calc(3 * var(--unit)); cursor: pointer; }
summary:hover { background: var(--raised); }
details > :not(summary) { margin: 0; border-width: 1px 0 0; border-radius: 0; }
details > p { padding: calc(2 * var(--unit)) calc(3 * var(--unit)); max-width: none; }

table { width: 100%; border-collapse: collapse; font-size: var(--table); line-height: 18px; }
th, td { padding: calc(2 * var(--unit)) calc(3 * var(--unit)) calc(2 * var(--unit)) 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
details th:first-child, details td:first-child { padding-left: calc(3 * var(--unit)); }
thead th { color: var(--quiet); font-size: var(--small); font-weight: 500; }
tbody th { font-weight: 500; }
:is(td, th) > p { margin: 0; max-width: 72ch; }
.fields th:first-child { width: 32%; }
.fields td:nth-child(2) { width: 18%; }
.plain th:first-child { width: 40%; }
.reasons :is(td, th) { width: 50%; }
details > ul { padding: calc(2 * var(--unit)) calc(8 * var(--unit)); }
:is(td, th) > p + p { margin-top: var(--unit); }
.errors :is(td, th):first-child { width: 88px; }
.errors th:nth-child(2) { width: 32%; }
.path { color: var(--quiet); }
.form th { padding-top: calc(4 * var(--unit)); color: var(--quiet); }

@media (max-width: 720px) {
  .shell { display: block; }
  .rail { padding: calc(2 * var(--unit)) calc(2 * var(--unit)) 0; }
  .rail ul { display: flex; flex-wrap: wrap; position: static; }
  .rail [aria-current] { box-shadow: inset 0 -2px var(--accent); }
  main { padding: calc(4 * var(--unit)) calc(4 * var(--unit)) calc(12 * var(--unit)); }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  table, tbody, tr, th, td { display: block; }
  tbody :is(th, td), .fields :is(th, td):nth-child(n), .errors :is(th, td):nth-child(n), .plain th:first-child, .reasons :is(td, th) { width: auto; padding: 0; border: 0; }
  tbody tr { padding: calc(2 * var(--unit)) 0; border-bottom: 1px solid var(--line); }
  .reasons td + td::before { content: "Fix: "; font-weight: 600; }
  details tbody tr { padding: calc(2 * var(--unit)) calc(3 * var(--unit)); }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media print { .banner, .rail, .skip { display: none; } .shell { display: block; } }
`;
