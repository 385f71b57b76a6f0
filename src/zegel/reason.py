"""The tables of reasons: one line for each, and every property of a reason is forced by its line.

A reason is a stable id, for the store, the log and scripts; the section that it comes from; and a sentence for people. It is an enum
member, so that a table is whole where it stands and a type checker knows its members.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Self


class Reason(Enum):
    """The base of a table: members are written as ``("id", "section", "sentence")``, and found again by their id."""

    id: str
    section: str
    sentence: str

    def __new__(cls, id: str, section: str, sentence: str) -> Self:
        """Take the id as the value: ``ActionReason("policy_reject")`` finds it again, in the store and in JSON."""
        member = object.__new__(cls)
        member._value_ = member.id = id
        member.section, member.sentence = section, sentence
        return member

    def __str__(self) -> str:
        return self.id


class StatusReason(Enum):
    """The same for results: ``("id", STATUS, "section", "sentence")``. The reason forces the status, so that they cannot disagree."""

    id: str
    status: StrEnum
    section: str
    sentence: str

    def __new__(cls, id: str, status: StrEnum, section: str, sentence: str) -> Self:
        """Take the id as the value: ``DkimReason("verified")`` finds it again, in the store and in JSON."""
        member = object.__new__(cls)
        member._value_ = member.id = id
        member.status, member.section, member.sentence = status, section, sentence
        return member

    def __str__(self) -> str:
        return self.id
