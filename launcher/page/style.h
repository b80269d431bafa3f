// The style sheet of every page: one set of colours for light, one for dark.
#pragma once

#include <string_view>

namespace edt {

inline constexpr std::string_view kPageStyle = R"(
:root { color-scheme: light dark; --page: #fcfcfb; --text: #1b1b1a; --muted: #5f5e5a;
  --grid: #e4e3df; --axis: #a9a8a2; --surface: #f4f3f0;
  --c0: #2a6fd0; --c1: #d9622b; --c2: #17876d; --c3: #b0438f; --c4: #8a6d00; --c5: #6a51c9;
  --c6: #b83a3a; --c7: #3d7f96; --ref: #86857f; }
@media (prefers-color-scheme: dark) { :root { --page: #191918; --text: #ecebe6; --muted: #a9a8a2;
  --grid: #34332f; --axis: #6c6b66; --surface: #242422;
  --c0: #6ba4f5; --c1: #f08a55; --c2: #41bd9b; --c3: #df7fc0; --c4: #cdab38; --c5: #a18df2;
  --c6: #ee7b7b; --c7: #74b4cb; --ref: #96958f; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 56rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", "Helvetica Neue", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0 0 .25rem; }
p { margin: .5rem 0; max-width: 44rem; }
pre { background: var(--surface); padding: .75rem 1rem; overflow-x: auto; font-size: .85rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; border-bottom: 1px solid var(--grid);
  white-space: nowrap; }
th { color: var(--muted); font-weight: 600; }
.number { text-align: right; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; height: auto; border-radius: 2px; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 1rem 0; }
dl.facts dt { color: var(--muted); } dl.facts dd { margin: 0; }
figcaption { color: var(--muted); font-size: .9rem; max-width: 44rem; }
.legend { font-size: .9rem; margin: 0 0 .25rem; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .4em 0 0;
  background: var(--c); }
.entry { display: inline-block; margin-right: 1.2em; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--muted); font-size: 12px; }
svg .label { fill: var(--text); }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--grid); }
svg .axis { stroke: var(--axis); }
svg .line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
svg .line.ref { stroke-dasharray: 6 5; stroke-width: 1.5; }
svg .line.faint { stroke-width: 1; opacity: .35; }
svg .mark { fill: var(--c); }
svg circle.mark { stroke: var(--page); }
svg .error { stroke: var(--c); stroke-width: 1.5; }
svg .error.over { stroke: var(--text); }
.s0 { --c: var(--c0); } .s1 { --c: var(--c1); } .s2 { --c: var(--c2); } .s3 { --c: var(--c3); }
.s4 { --c: var(--c4); } .s5 { --c: var(--c5); } .s6 { --c: var(--c6); } .s7 { --c: var(--c7); }
.ref { --c: var(--ref); }
)";

}  // namespace edt
