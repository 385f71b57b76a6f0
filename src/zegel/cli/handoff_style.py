"""How the hand-off page looks: on a screen, light or dark, on a telephone and on paper. No font and no picture comes from elsewhere."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --paper: #f4f6f8; --card: #fff; --field: #f4f6f9;
  --good: #14804a; --good-soft: #e3f5ea; --todo: #9a5b00; --todo-soft: #fdf1db; --wrong: #b3261e; --wrong-soft: #fdeae8;
  --unknown: #5b6675; --unknown-soft: #eceff3; --brand: #25406b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf0; --soft: #9da9b8; --line: #303a47; --paper: #12171e; --card: #1b222c;
  --field: #12181f; --good: #6fd09c; --good-soft: #12351f; --todo: #f1bd6c; --todo-soft: #3a2a0c; --wrong: #f59b93; --wrong-soft: #421a17;
  --unknown: #9da9b8; --unknown-soft: #28303b; --brand: #9dbcf0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 52rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3rem; padding-bottom: 1rem; }
.eyebrow { margin: 0; color: var(--soft); font-size: .9rem; }
h1 { margin: .1rem 0 .6rem; font-size: 2.4rem; line-height: 1.15; letter-spacing: -.02em; color: var(--brand); overflow-wrap: anywhere; }
.intro { margin: 0 0 1.4rem; font-size: 1.1rem; max-width: 40rem; }
.progress p { display: flex; justify-content: space-between; gap: 1rem; flex-wrap: wrap; margin: .5rem 0 0; font-size: .95rem; }
.progress span, .contact { color: var(--soft); }
.bar { height: .5rem; border-radius: 1rem; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--good); border-radius: 1rem; }
.contact { margin: .8rem 0 0; font-size: .95rem; }
.card { background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--tone, var(--line)); border-radius: .6rem;
  padding: 1.2rem 1.4rem; margin: 1.1rem 0; box-shadow: 0 1px 2px rgb(20 30 50 / .05); }
.good { --tone: var(--good); --tone-soft: var(--good-soft); }
.todo { --tone: var(--todo); --tone-soft: var(--todo-soft); }
.wrong { --tone: var(--wrong); --tone-soft: var(--wrong-soft); }
.unknown { --tone: var(--unknown); --tone-soft: var(--unknown-soft); }
h2 { display: flex; align-items: center; gap: .6rem; margin: 0 0 .3rem; font-size: 1.15rem; }
.card > p { margin: 0 0 .4rem; color: var(--soft); }
.card > p.note { font-style: italic; }
.number { display: inline-grid; place-items: center; min-width: 1.7rem; height: 1.7rem; border-radius: 50%; background: var(--paper);
  border: 1px solid var(--line); font-size: .85rem; font-weight: 600; color: var(--soft); }
.state { margin-left: auto; padding: .1rem .7rem; border-radius: 1rem; background: var(--tone-soft); color: var(--tone);
  font-size: .85rem; font-weight: 600; white-space: nowrap; }
dl { display: grid; grid-template-columns: 7.5rem 1fr; gap: .45rem .9rem; margin: .9rem 0 .6rem; align-items: start; }
dt { color: var(--soft); font-size: .9rem; padding-top: .35rem; }
dd { margin: 0; min-width: 0; }
code, pre { font: .88rem/1.5 ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code.copy { display: inline-block; max-width: 100%; padding: .3rem .6rem; border: 1px solid var(--line); border-radius: .35rem;
  background: var(--field); overflow-wrap: anywhere; white-space: pre-wrap; -webkit-user-select: all; user-select: all; cursor: copy; }
code.long { display: block; word-break: break-all; }
pre { padding: .8rem 1rem; border: 1px solid var(--line); border-radius: .35rem; background: var(--field); overflow-x: auto;
  -webkit-user-select: all; user-select: all; }
summary { color: var(--brand); font-size: .92rem; cursor: pointer; }
details dl { margin-left: .1rem; }
.seen { margin-top: .9rem; padding-top: .8rem; border-top: 1px solid var(--line); font-size: .93rem; }
.seen h3 { margin: 0; font-size: .8rem; font-weight: 600; text-transform: uppercase; letter-spacing: .05em; color: var(--soft); }
.seen p { margin: .2rem 0 .4rem; }
.seen ul { margin: 0; padding: 0; list-style: none; }
.seen li { position: relative; padding: .1rem 0 .1rem 1.2rem; overflow-wrap: anywhere; }
.seen li::before { content: ""; position: absolute; left: 0; top: .6rem; width: .6rem; height: .6rem; border-radius: 50%;
  background: var(--tone); }
.seen li b { font-weight: 600; }
.seen li span { color: var(--soft); }
.seen li code { display: block; margin: .25rem 0; padding: .25rem .6rem; border-radius: .35rem; background: var(--wrong-soft);
  overflow-wrap: anywhere; white-space: pre-wrap; }
.plain h2 { margin-bottom: .5rem; }
.plain ul { margin: .3rem 0; padding-left: 1.2rem; }
.plain li { margin: .3rem 0; }
footer { padding: 1rem 1.25rem 3rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 34rem) { header { padding-top: 1.5rem; } h1 { font-size: 1.8rem; } .card { padding: 1rem; }
  dl { grid-template-columns: 1fr; gap: .2rem; } dt { padding-top: .5rem; } h2 { flex-wrap: wrap; } }
@media print { :root { color-scheme: light; } body { background: #fff; font-size: 11pt; } .card { break-inside: avoid; box-shadow: none; }
  details { display: none; } header { padding-top: 0; } }
"""
