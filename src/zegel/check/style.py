"""The style of a printed report: one sheet for screen and paper (A4), system fonts, four quiet colours that repeat what a mark says."""

from __future__ import annotations

STYLE = """
:root { --ink: #1b2530; --soft: #5a6672; --line: #d8dde2; --paper: #fff; --shade: #f5f7f8;
  --pass: #1d6b48; --warn: #8a5a00; --fail: #a1242c; --note: #5a6672; }
* { box-sizing: border-box; }
html { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 50rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 "Segoe UI", "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
h1, h2, h3 { line-height: 1.2; font-weight: 600; overflow-wrap: anywhere; }
h1 { margin: .2rem 0 0; font-size: 2rem; letter-spacing: -.015em; }
h2 { margin: 2.4rem 0 .6rem; padding-bottom: .35rem; border-bottom: 1px solid var(--line); font-size: 1.15rem; }
h3 { margin: 1.4rem 0 .3rem; font-size: 1rem; }
p { margin: .3rem 0; }
a { color: inherit; text-decoration-color: var(--line); }
.head { display: flex; justify-content: space-between; gap: 1rem; padding-bottom: .6rem; border-bottom: 2px solid var(--ink);
  font-size: .85rem; color: var(--soft); }
.head b { color: var(--ink); letter-spacing: .04em; }
.kind { margin-top: 1.8rem; color: var(--soft); font-size: .9rem; }
.answer { margin: 1.2rem 0 0; padding: 1rem 1.2rem; background: var(--shade); border-left: 5px solid var(--note); }
.answer p { margin: 0; }
.answer .said { font-size: 1.2rem; font-weight: 600; line-height: 1.35; }
.counts { margin-top: .45rem; color: var(--soft); font-size: .9rem; }
.answer.pass { border-color: var(--pass); } .answer.warn { border-color: var(--warn); } .answer.fail { border-color: var(--fail); }
.facts { width: auto; margin: 1rem 0 0; font-size: .9rem; }
.facts th { padding: .1rem 1.2rem .1rem 0; border: 0; color: var(--soft); font-weight: 400; }
.facts td { padding: .1rem 0; border: 0; }
ol.todo { margin: .4rem 0 0; padding-left: 1.4rem; }
ol.todo li { margin: .35rem 0; padding-left: .2rem; }
.item { position: relative; display: grid; grid-template-columns: 1.5rem minmax(0, 1fr); padding: .4rem 0;
  border-bottom: 1px solid var(--line); break-inside: avoid; }
.item:last-child { border-bottom: 0; }
.item .said { margin: 0; padding-right: 10rem; }
.item.fail .said, .item.warn .said { font-weight: 600; }
.mark { font-weight: 700; color: var(--note); }
.mark.pass { color: var(--pass); } .mark.warn { color: var(--warn); } .mark.fail { color: var(--fail); }
.why, .step { font-size: .92rem; }
.why, .id { color: var(--soft); }
.id { position: absolute; top: .55rem; right: 0; font-size: .75rem; }
.step::before { content: "\\2192\\00a0"; color: var(--soft); }
code, pre { font: .82rem/1.45 "Cascadia Mono", "Liberation Mono", Consolas, monospace; }
pre { margin: .35rem 0 0; padding: .45rem .7rem; background: var(--shade); white-space: pre-wrap; overflow-wrap: anywhere; }
.record { margin: .5rem 0 .1rem; border: 1px solid var(--line); break-inside: avoid; }
.record p { margin: 0; padding: .3rem .7rem; font-size: .82rem; color: var(--soft); border-bottom: 1px solid var(--line); }
.record pre { margin: 0; background: none; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td.mark, th.narrow { white-space: nowrap; }
td.word { white-space: nowrap; }
tr { break-inside: avoid; }
.overview { margin-top: 1rem; }
.overview th, .overview td { overflow-wrap: normal; }
.overview td:first-child { min-width: 9rem; overflow-wrap: anywhere; }
.overview th, .overview td.sign { white-space: nowrap; text-align: left; }
.sheet > h1:first-child { margin-top: 1.8rem; }
.sheet + .sheet { margin-top: 4rem; }
.foot { margin-top: 3rem; padding-top: .6rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .82rem; }
@media (max-width: 34rem) { body { padding: 1.2rem 1rem 2rem; } h1 { font-size: 1.5rem; }
  .id { display: none; } .item .said { padding-right: 0; } }
@page { size: A4; margin: 18mm 18mm 20mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  .sheet + .sheet { margin-top: 0; break-before: page; }
  h2, h3 { break-after: avoid; }
  a { text-decoration: none; }
}
"""
