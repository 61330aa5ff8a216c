/** The style sheet of the report: light or dark by the preference of the reader, and for paper. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d1f23; --quiet: #5d636e; --line: #dcdad4; --wash: #f0eee9;
  --accent: #0b63b5; --busy: #2f7fd0; --hot: #b8430a; --hot-wash: #fdeee3; --bad: #b3261e; --good: #1f7a3d;
  --s0: #0b63b5; --s1: #b8430a; --s2: #1f7a3d; --s3: #7a3fa0; --s4: #8a6d00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --card: #1c1f25; --ink: #e8e6e1; --quiet: #a3a8b3; --line: #343943; --wash: #262a32;
    --accent: #7db7f0; --busy: #4a93dc; --hot: #f0a070; --hot-wash: #3a281d; --bad: #ff8a80; --good: #7fd49a;
    --s0: #7db7f0; --s1: #f0a070; --s2: #7fd49a; --s3: #c9a0e8; --s4: #e0c860;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
header, main { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
p { margin: .25rem 0; overflow-wrap: anywhere; }
a { color: var(--accent); }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.quiet { color: var(--quiet); }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; margin: .75rem 0 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.1rem 1.25rem; margin: 1.25rem 0; }
.outcome { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; border: 1px solid currentColor; font-weight: 600; }
.completed { color: var(--good); } .failed { color: var(--bad); }
dl.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem 1.25rem; margin: 1rem 0 0; }
dl.facts div { border-left: 3px solid var(--line); padding-left: .6rem; }
dl.facts dt { color: var(--quiet); font-size: .82rem; } dl.facts dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; max-height: 44rem; overflow-y: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding-bottom: .4rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; max-width: 32rem; overflow-wrap: break-word; }
thead th { position: sticky; top: 0; background: var(--card); font-size: .85rem; color: var(--quiet); white-space: nowrap; }
td.n, th.n { text-align: right; white-space: nowrap; }
tr.hot td, tr.hot th { background: var(--hot-wash); }
tr:target th { outline: 2px solid var(--accent); }
tbody th { font-weight: 600; min-width: 9rem; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, "DejaVu Sans", sans-serif; }
svg text { fill: var(--ink); } svg .quiet { fill: var(--quiet); }
svg .box { fill: var(--wash); stroke: var(--line); } svg .box.hot { fill: var(--hot-wash); stroke: var(--hot); stroke-width: 2; }
svg a:focus .box { stroke: var(--accent); stroke-width: 3; }
svg .edge { fill: none; stroke: var(--quiet); stroke-width: 1.2; opacity: .7; } svg .optional { stroke-dasharray: 4 3; } svg .rule { stroke-dasharray: 1 4; stroke-linecap: round; }
svg .axis { stroke: var(--line); } svg .busy { fill: var(--busy); } svg .row { fill: var(--wash); }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; margin: .25rem 0 .5rem; }
.key span { display: inline-block; width: 1.2rem; height: .35rem; border-radius: 2px; margin-right: .4rem; vertical-align: middle; }
details { margin-top: .6rem; } summary { cursor: pointer; color: var(--accent); }
pre { background: var(--wash); border-radius: 6px; padding: .8rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem 2rem; color: var(--quiet); }
@media print { section { break-inside: avoid; } .scroll { max-height: none; overflow: visible; } nav, .skip { display: none; } }
`;
