"""The work of a move is bounded: a table twice as long takes twice the work, and each key file is read once. Counted, not timed."""

from __future__ import annotations

import pytest

from support.texts import Texts, pem
from support.work import lines
from zegel.moving import opendkim, plan, rspamd, ucl
from zegel.moving.model import MAX_ENTRIES, Found, UnreadableError


def table(count: int, *, wide: bool = False) -> Texts:
    names = [f"d{number}.example" for number in range(count)]
    texts: dict[str, str | bytes] = {
        "/c": "SigningTable refile:/s\nKeyTable file:/t\n",
        "/s": "".join(f"*@{'*.' if wide else ''}{name} {name}\n" for name in names),
        "/t": "".join(f"{name} {name}:mail:/k/{number % 3}\n" for number, name in enumerate(names)),
        **{f"/k/{number}": pem(number) for number in range(3)},
    }
    return Texts(texts)


@pytest.mark.parametrize("wide", [False, True])
def test_a_table_twice_as_long_takes_twice_the_work(wide: bool) -> None:
    def move(count: int) -> int:
        files = table(count, wide=wide)
        loaded = plan.load(opendkim.read("/c", files), files)
        return lines(lambda: plan.make(opendkim.read("/c", files), loaded, (), ()))

    move(10)
    once, twice = move(200), move(400)
    assert twice < 2.5 * once


def test_the_key_named_like_the_domain_is_not_looked_for_in_all_of_them() -> None:
    def move(count: int) -> int:
        names = [f"d{number}.example" for number in range(count)]
        texts: dict[str, str | bytes] = {"/c": "SigningTable refile:/s\nKeyTable file:/t\n", "/k": pem(0)}
        texts |= {"/s": "".join(f"*@*.{name} %\n" for name in names), "/t": "".join(f"{name} {name}:mail:/k\n" for name in names)}
        return lines(lambda: opendkim.read("/c", Texts(texts)))

    move(10)
    once, twice = move(200), move(400)
    assert twice < 2.5 * once


def test_a_thousand_domains_read_each_key_once() -> None:
    files = table(1000)
    found = opendkim.read("/c", files)
    made = plan.make(found, plan.load(found, files), (), ())
    assert (len(made.new), len(made.domains), made.broken) == (1000, 1000, [])
    assert {path: count for path, count in files.readings.items() if path.startswith("/k/")} == {f"/k/{number}": 1 for number in range(3)}


def test_more_entries_than_anybody_has_are_refused() -> None:
    files = Texts({"/c": "SigningTable refile:/s\nKeyTable file:/t\n", "/s": "a b\n" * (MAX_ENTRIES + 1), "/t": ""})
    found: Found = opendkim.read("/c", files)
    assert any(f"more than {MAX_ENTRIES}" in str(remark.sentence) for remark in found.remarks)


@pytest.mark.parametrize(
    "piece", ["a = b;\n", "a { b = c; }\n", "/* */ # x\n", 'k = "v\\"w";\n', "l [ 1, 2 ]\n", 'domain "x.example" { y = z }\n']
)
def test_ucl_takes_work_in_step_with_its_length(piece: str) -> None:
    once = lines(lambda: ucl.parse(piece * 200, "x"))
    assert lines(lambda: ucl.parse(piece * 400, "x")) < 2.5 * once


@pytest.mark.parametrize("text", ["{" * 5000, "a {" * 5000, "[" * 5000, "a = [" * 5000, "/*" * 5000, '"' * 5001, "a b " * 5000 + "{"])
def test_what_goes_on_and_on_is_refused_and_not_followed(text: str) -> None:
    with pytest.raises(UnreadableError):
        ucl.parse(text, "x")


def test_a_file_that_includes_itself_ends() -> None:
    files = Texts({"/c": '.include "/c"\n'})
    with pytest.raises(UnreadableError, match="included"):
        rspamd.read("/c", files)


@pytest.mark.parametrize("lines", [4, 100])
def test_files_that_include_one_another_many_times_are_no_bomb(lines: int) -> None:
    """Five levels are allowed, and each may name the next a thousand times: that many files to the fifth."""
    files = Texts({f"/{level}": f"Include /{level + 1}\n" * lines if level < 5 else "Domain example.be\n" for level in range(6)})
    with pytest.raises(UnreadableError, match="more than 100 files are included"):
        opendkim.read("/0", files)
    assert files.readings.total() <= 101
