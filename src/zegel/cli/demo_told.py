"""What came of a message of the demo: the words to check it by, and the sentences for a person.

The words come from the fields that were written over the socket, the sentences from the story that the daemon has recorded.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from zegel.adapters.mta import Handled
from zegel.authres import parse
from zegel.cli.screen import Mark
from zegel.cli.words import _, told
from zegel.grammar.message import Field
from zegel.verdict.explain import Story, sentence

_RESULTS, _QUARANTINE = b"authentication-results", b"x-zegel-quarantine"
_METHODS = ("dmarc", "spf", "dkim")
# Of the log line, which has more. Of the last ones the first word alone.
_LOGGED = ("queue_id", "outcome", "would", "reason", "from", "marks", "forged_results_removed", *_METHODS)


class Ending(NamedTuple):
    """One message from outside at its end: what the milter did over the socket, the child's log line, and the story."""

    handled: Handled
    log: str
    story: Story

    @property
    def words(self) -> frozenset[str]:
        """What must be as the scene wants it."""
        if self.handled.action != "accept":
            return frozenset({self.handled.action})
        results = [result for field in self.fields(_RESULTS) for result in parse.parse(field.value).results]
        # SPF is told of twice, for MAIL FROM and then for HELO.
        found = {f"{method}={next((r.result for r in results if r.method == method), None)}" for method in _METHODS}
        found |= {str(item["reason"]) for item in self.story if item["step"] in ("mark", "action")}
        if self.handled.deleted:
            found.add("forgery_removed")
        return frozenset(found | {"quarantined" if self.fields(_QUARANTINE) else "accepted"})

    def fields(self, key: bytes) -> list[Field]:
        """The fields of that name, in lower case, which the milter put into the header."""
        return [field for field in self.handled.inserted if field.key == key]

    @property
    def heading(self) -> tuple[Mark, str]:
        """What happened, in one line."""
        dmarc = next(item["status"] for item in self.story if item["about"] == "dmarc" and item["step"] == "result")
        for field in self.fields(_QUARANTINE):
            shown = f"{field.name.decode()}: {field.value.decode().strip()}"
            return Mark.WRONG, _("dmarc={result}: marked for quarantine with {field}").format(result=dmarc, field=shown)
        if any(item["step"] == "mark" for item in self.story):
            return Mark.NOTE, _("dmarc={result}: accepted, and marked").format(result=dmarc)
        return Mark.OK, _("dmarc={result}: accepted").format(result=dmarc)

    def told(self) -> Iterator[str]:
        """Why, sentence by sentence."""
        yield from (told(sentence(item)) for item in self.story if item["step"] == "action")
        for item in self.story:
            if item["step"] == "author" and "domain" not in item:
                yield told(sentence(item))
            elif item["step"] == "mark":
                yield _("marked {mark}: {sentence}").format(mark=item["reason"], sentence=told(sentence(item)))
        if self.handled.deleted:
            yield _("the Authentication-Results that it forged in our name was removed")
        # The evidence. HELO counts for nothing here: every one of these messages has a MAIL FROM.
        for item in self.story:
            if item["step"] == "result" and item.get("identity") != "helo":
                yield f"{str(item['about']).upper()}: {told(sentence(item))}"
            elif item["step"] == "unsigned":
                yield told(sentence(item))

    def _logged(self) -> dict[str, str]:
        """The log line as its names and values."""
        pairs = (word.partition("=") for word in shlex.split(self.log))
        return {name: value for name, _sign, value in pairs}

    def log_in_short(self) -> str:
        """The words of the log line that matter most."""
        line = self._logged()
        shown = {name: line[name].split()[0] if name in _METHODS else line[name] for name in _LOGGED if name in line}
        event = line["event"].partition(":")[0]
        return " ".join([event, *(f"{name}={value}" for name, value in shown.items()), "..."])
