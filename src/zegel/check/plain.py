"""A report as plain values, for JSON and for pages: ids and values that stay the same, sentences in English beside them."""

from __future__ import annotations

from typing import Any

from zegel.check.item import Item, Value
from zegel.check.report import Report
from zegel.check.spftree import Node, Term
from zegel.rollout.records import Record, as_value
from zegel.words import Sentence


def as_plain(report: Report) -> dict[str, Any]:
    """The whole of a report."""
    proof = report.proof
    return {
        "domain": str(report.domain),
        "dkim_proof": str(proof.answer),
        "explanation": str(proof.sentence),
        "against": list(proof.against),
        "parked": report.facts.parked,
        "counts": {str(level): count for level, count in sorted(report.counts.items())},
        "items": [as_item(item) for item in report.items],
        "spf_tree": _node(report.facts.spf.tree),
    }


def as_item(item: Item) -> dict[str, Any]:
    """One item of any report."""
    return {
        "id": item.id,
        "area": str(item.area),
        "level": str(item.level),
        "finding": str(item.finding),
        "why": None if item.why is None else str(item.why),
        "seen": list(item.seen),
        "mend": [_record(record) for record in item.mend],
        "step": None if item.step is None else str(item.step),
        "values": {name: _value(value) for name, value in item.values.items()},
        "section": item.section,
    }


def _value(value: Value) -> str | int | bool:
    return str(value) if isinstance(value, (Sentence, str)) else value


def _record(record: Record) -> dict[str, str]:
    return {"name": record.name, "type": record.type, "value": as_value(record)}


def _node(node: Node) -> dict[str, Any]:
    return {
        "domain": node.domain,
        "reason": None if node.reason is None else node.reason.id,
        "lookups": node.lookups,
        "networks": sum(not term.asks for term in node.terms),
        "terms": [_term(term) for term in node.terms if term.asks],
    }


def _term(term: Term) -> dict[str, Any]:
    return {
        "text": term.text[:200],
        "lookups": term.lookups,
        "name": term.name,
        "trouble": None if term.trouble is None else str(term.trouble),
        "record": None if term.node is None else _node(term.node),
    }
