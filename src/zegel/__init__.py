"""Zegel: self-hosted e-mail authentication. The front door; its names are loaded when first used (PEP 562), so that the import is cheap."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; typing itself costs more than all of the sendmail command
if TYPE_CHECKING:
    from typing import Any

    from zegel import aio as aio
    from zegel.adapters.resolver import Resolver as Resolver
    from zegel.adapters.zone import Zone as Zone
    from zegel.arc.result import ArcReason as ArcReason
    from zegel.arc.result import ArcResult as ArcResult
    from zegel.arc.result import ArcStatus as ArcStatus
    from zegel.ask import Answer as Answer
    from zegel.ask import Question as Question
    from zegel.ask import Rcode as Rcode
    from zegel.ask import RRType as RRType
    from zegel.dkim.crypto import Key as Key
    from zegel.dkim.result import DkimReason as DkimReason
    from zegel.dkim.result import DkimResult as DkimResult
    from zegel.dkim.result import DkimStatus as DkimStatus
    from zegel.dmarc.result import DmarcReason as DmarcReason
    from zegel.dmarc.result import DmarcResult as DmarcResult
    from zegel.dmarc.result import DmarcStatus as DmarcStatus
    from zegel.front import authenticate as authenticate
    from zegel.front import check_dmarc as check_dmarc
    from zegel.front import check_spf as check_spf
    from zegel.front import parse_authentication_results as parse_authentication_results
    from zegel.front import sign as sign
    from zegel.front import verify as verify
    from zegel.front import verify_arc as verify_arc
    from zegel.limits import Limits as Limits
    from zegel.spf.result import SpfCause as SpfCause
    from zegel.spf.result import SpfCheck as SpfCheck
    from zegel.spf.result import SpfIdentity as SpfIdentity
    from zegel.spf.result import SpfReason as SpfReason
    from zegel.spf.result import SpfResult as SpfResult
    from zegel.spf.result import SpfStatus as SpfStatus
    from zegel.verdict.authenticate import Verdict as Verdict
    from zegel.verdict.policy import Action as Action
    from zegel.verdict.rules import Rule as Rule
    from zegel.verdict.rules import RuleKind as RuleKind

__version__ = "0.1.0"

_WHERE = {
    "Action": "zegel.verdict.policy",
    "Answer": "zegel.ask",
    "ArcReason": "zegel.arc.result",
    "ArcResult": "zegel.arc.result",
    "ArcStatus": "zegel.arc.result",
    "DkimReason": "zegel.dkim.result",
    "DkimResult": "zegel.dkim.result",
    "DkimStatus": "zegel.dkim.result",
    "DmarcReason": "zegel.dmarc.result",
    "DmarcResult": "zegel.dmarc.result",
    "DmarcStatus": "zegel.dmarc.result",
    "Key": "zegel.dkim.crypto",
    "Limits": "zegel.limits",
    "Question": "zegel.ask",
    "RRType": "zegel.ask",
    "Rcode": "zegel.ask",
    "Resolver": "zegel.adapters.resolver",
    "Rule": "zegel.verdict.rules",
    "RuleKind": "zegel.verdict.rules",
    "SpfCause": "zegel.spf.result",
    "SpfCheck": "zegel.spf.result",
    "SpfIdentity": "zegel.spf.result",
    "SpfReason": "zegel.spf.result",
    "SpfResult": "zegel.spf.result",
    "SpfStatus": "zegel.spf.result",
    "Verdict": "zegel.verdict.authenticate",
    "Zone": "zegel.adapters.zone",
    "authenticate": "zegel.front",
    "check_dmarc": "zegel.front",
    "check_spf": "zegel.front",
    "parse_authentication_results": "zegel.front",
    "sign": "zegel.front",
    "verify": "zegel.front",
    "verify_arc": "zegel.front",
}

__all__ = [
    "Action",
    "Answer",
    "ArcReason",
    "ArcResult",
    "ArcStatus",
    "DkimReason",
    "DkimResult",
    "DkimStatus",
    "DmarcReason",
    "DmarcResult",
    "DmarcStatus",
    "Key",
    "Limits",
    "Question",
    "RRType",
    "Rcode",
    "Resolver",
    "Rule",
    "RuleKind",
    "SpfCause",
    "SpfCheck",
    "SpfIdentity",
    "SpfReason",
    "SpfResult",
    "SpfStatus",
    "Verdict",
    "Zone",
    "aio",
    "authenticate",
    "check_dmarc",
    "check_spf",
    "parse_authentication_results",
    "sign",
    "verify",
    "verify_arc",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "aio":
        return import_module("zegel.aio")
    if name in _WHERE:
        value = getattr(import_module(_WHERE[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'zegel' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
