"""Tokens of the text form, with their places."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from y10c.errors import ParseError

_TOKEN = re.compile(
    r"""
    (?P<skip>(?:\s+|//[^\n]*)+)
  | (?P<value>%(?:"(?:\\.|[^"\\\n])*"|[\w./-]+)(?:~\d+)?)
  | (?P<hex>x"[0-9a-f]*")
  | (?P<bytes>b"[0-9a-f]*")
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<digest>@[0-9a-f]+)
  | (?P<number>-?(?:inf\b|nan\b|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))
  | (?P<word>[A-Za-z_]\w*(?:(?:\.|::|/|-)\w+)*)
  | (?P<mark>[][(){}<>,:=\#?*.])
    """,
    re.VERBOSE | re.ASCII,
)


class Token(NamedTuple):
    """A piece of text: its kind (a group of the pattern, or `end`), the text, and its offset."""

    kind: str
    text: str
    at: int


class Lexer:
    """Splits text into tokens and looks one ahead.

    Args:
        text: What is parsed.
        source: The file that it comes from, for messages.

    Raises:
        ParseError: A character cannot begin a token.
    """

    def __init__(self, text: str, source: str = "") -> None:
        self.text = text
        self.source = source
        self.position = 0
        self.head = self._read()

    def _read(self) -> Token:
        while self.position < len(self.text):
            at = self.position
            found = _TOKEN.match(self.text, at)
            if found is None:
                raise self.error(f"unexpected character {self.text[at]!r}", at)
            self.position = found.end()
            if found.lastgroup != "skip":
                return Token(found.lastgroup or "", found.group(), at)
        return Token("end", "", len(self.text))

    def next(self) -> Token:
        """The token ahead, consumed."""
        token, self.head = self.head, self._read()
        return token

    def accept(self, text: str) -> bool:
        """Consume the token ahead where it is this mark or word."""
        if self.head.text != text or self.head.kind not in ("mark", "word"):
            return False
        self.next()
        return True

    def expect(self, what: str) -> Token:
        """Consume a token that must be this mark or word, or of this kind.

        Raises:
            ParseError: Something else stands there.
        """
        token = self.head
        if token.kind == what or (token.text == what and token.kind in ("mark", "word")):
            return self.next()
        found = repr(token.text) if token.kind != "end" else "the end of the text"
        raise self.error(f"expected {what!r}, found {found}")

    def error(self, message: str, at: int | None = None) -> ParseError:
        """An error at an offset, by default that of the token ahead."""
        offset = self.head.at if at is None else at
        starts = [0, *(m.end() for m in re.finditer("\n", self.text))]
        line = bisect_right(starts, offset)
        place = f"{line}:{offset - starts[line - 1] + 1}"
        return ParseError(message, where=f"{self.source}:{place}" if self.source else place)
