"""The part of the shell language that a simulated device understands, as a parser without side effects.

Lists with ``;`` newline ``&&`` ``||``, pipes, ``!``, groups in braces and parentheses, ``while`` and ``if``, quoting
with ``'`` ``"`` and backslash, ``$?`` ``$NAME`` ``${NAME}``, assignments, comments, redirections.
Not: globs, command substitution, arithmetic, here-documents, functions, background jobs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


class ShellSyntaxError(ValueError):
    """The text is not in the language."""


class IncompleteError(ShellSyntaxError):
    """The text may become valid when another line follows."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a word."""

    text: str
    """The text itself, or the name of a variable."""
    is_variable: bool = False
    """True: ``text`` names a variable to put in (``?`` is the last exit code)."""
    quoted: bool = False
    """True: it stood in quotes, so the word exists even if it is empty."""


Word = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """``2>/dev/null``, ``>&2``, ``<file``."""

    descriptor: int
    """0, 1 or 2."""
    operator: str
    """``<``, ``>``, ``>>`` or ``>&``."""
    target: Word
    """A path, or the number of a descriptor after ``>&``."""


@dataclass(frozen=True, slots=True)
class Simple:
    """A command with its arguments."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """``{ body; }`` or ``(body)``."""

    body: Sequence
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True)
class While:
    """``while condition; do body; done``."""

    condition: Sequence
    body: Sequence
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True)
class If:
    """``if condition; then body; else otherwise; fi``."""

    condition: Sequence
    body: Sequence
    otherwise: Sequence | None
    redirects: tuple[Redirect, ...]


Command = Simple | Group | While | If


@dataclass(frozen=True, slots=True)
class Pipeline:
    """``a | b``; ``negated`` by a leading ``!``."""

    commands: tuple[Command, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """Pipelines in order; each but the first runs always (``;``), after success (``&&``) or failure (``||``)."""

    steps: tuple[tuple[str, Pipeline], ...] = ()


@dataclass(slots=True)
class _Token:
    operator: str = ""
    word: Word = ()
    descriptor: int | None = None
    plain: str = field(default="")


_OPERATORS = ("&&", "||", ">>", ">&", "<", ">", "|", ";", "&", "(", ")", "\n")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*|\?)\}|([A-Za-z_][A-Za-z0-9_]*|\?))")
_REDIRECTS = ("<", ">", ">>", ">&")
_CLOSERS = frozenset(("}", ")", "do", "done", "then", "else", "fi"))


def _dollar(text: str, at: int, *, quoted: bool) -> tuple[Piece, int]:
    found = _VARIABLE.match(text, at)
    if found is None:
        if text[at + 1 : at + 2] == "(":
            raise ShellSyntaxError("command substitution is not simulated")
        return Piece("$", quoted=quoted), at + 1
    return Piece(found[1] or found[2], is_variable=True, quoted=quoted), found.end()


def _double_quoted(text: str, at: int) -> tuple[list[Piece], int]:
    pieces = [Piece("", quoted=True)]
    while at < len(text) and text[at] != '"':
        if text[at] == "$":
            piece, at = _dollar(text, at, quoted=True)
            pieces.append(piece)
            continue
        if text[at] == "\\" and text[at + 1 : at + 2] in ("$", '"', "\\", "`", "\n"):
            at += 1
        pieces.append(Piece(text[at : at + 1], quoted=True))
        at += 1
    if at >= len(text):
        raise IncompleteError('no closing quote "')
    return pieces, at + 1


def _word(text: str, at: int) -> tuple[_Token, int]:
    pieces: list[Piece] = []
    start = at
    while at < len(text) and text[at] not in " \t\n;&|()<>":
        letter = text[at]
        if letter == "'":
            end = text.find("'", at + 1)
            if end < 0:
                raise IncompleteError("no closing quote '")
            pieces.append(Piece(text[at + 1 : end], quoted=True))
            at = end + 1
        elif letter == '"':
            more, at = _double_quoted(text, at + 1)
            pieces += more
        elif letter == "\\":
            if at + 1 >= len(text):
                raise IncompleteError("a line ends in a backslash")
            if text[at + 1] != "\n":
                pieces.append(Piece(text[at + 1], quoted=True))
            at += 2
        elif letter == "$":
            piece, at = _dollar(text, at, quoted=False)
            pieces.append(piece)
        elif letter == "`":
            raise ShellSyntaxError("command substitution is not simulated")
        else:
            pieces.append(Piece(letter))
            at += 1
    plain = text[start:at] if all(not (p.quoted or p.is_variable) for p in pieces) else ""
    return _Token(word=tuple(pieces), plain=plain), at


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at] in " \t\r":
            at += 1
        elif text.startswith("\\\n", at):
            at += 2
        elif text[at] == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        else:
            descriptor = None
            if text[at] in "012" and text[at + 1 : at + 2] in ("<", ">"):
                descriptor = int(text[at])
                at += 1
            operator = next((op for op in _OPERATORS if text.startswith(op, at)), None)
            if operator:
                tokens.append(_Token(operator=operator, descriptor=descriptor))
                at += len(operator)
            else:
                token, at = _word(text, at)
                tokens.append(token)
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _is(self, *names: str) -> bool:
        token = self._peek()
        return token is not None and (token.operator or token.plain) in names

    def _take(self) -> _Token:
        token = self._peek()
        if token is None:
            raise IncompleteError("the command is not finished")
        self._at += 1
        return token

    def _expect(self, name: str) -> None:
        token = self._take()
        if (token.operator or token.plain) != name:
            raise ShellSyntaxError(f"syntax error: unexpected '{token.operator or token.plain or 'word'}'")

    def _newlines(self) -> None:
        while self._is("\n"):
            self._at += 1

    def sequence(self) -> Sequence:
        steps: list[tuple[str, Pipeline]] = []
        link = ";"
        while True:
            if link == ";":
                while self._is("\n", ";"):
                    self._at += 1
                token = self._peek()
                if token is None or (token.operator or token.plain) in _CLOSERS:
                    return Sequence(tuple(steps))
            else:
                self._newlines()
            steps.append((link, self._pipeline()))
            if self._is("&&", "||"):
                link = self._take().operator
            elif self._is(";", "\n"):
                self._at += 1
                link = ";"
            elif self._is("&"):
                raise ShellSyntaxError("background jobs are not simulated")
            elif self._peek() is None or self._is(*_CLOSERS):
                return Sequence(tuple(steps))
            else:
                self._expect(";")

    def end(self) -> None:
        """Raises if something stands after the program, a lone ``)`` or ``done`` for example."""
        token = self._peek()
        if token is not None:
            raise ShellSyntaxError(f"syntax error: unexpected '{token.operator or token.plain}'")

    def _pipeline(self) -> Pipeline:
        negated = self._is("!")
        self._at += negated
        commands = [self._command()]
        while self._is("|"):
            self._at += 1
            self._newlines()
            commands.append(self._command())
        return Pipeline(tuple(commands), negated)

    def _command(self) -> Command:
        for opener, closer in (("{", "}"), ("(", ")")):
            if self._is(opener):
                self._at += 1
                body = self.sequence()
                self._expect(closer)
                return Group(body, self._redirects())
        if self._is("while"):
            self._at += 1
            condition = self.sequence()
            self._expect("do")
            body = self.sequence()
            self._expect("done")
            return While(condition, body, self._redirects())
        if self._is("if"):
            return self._if()
        return self._simple()

    def _if(self) -> If:
        self._expect("if")
        condition = self.sequence()
        self._expect("then")
        body = self.sequence()
        otherwise = None
        if self._is("else"):
            self._at += 1
            otherwise = self.sequence()
        self._expect("fi")
        return If(condition, body, otherwise, self._redirects())

    def _redirects(self) -> tuple[Redirect, ...]:
        found: list[Redirect] = []
        while self._is(*_REDIRECTS):
            found.append(self._redirect())
        return tuple(found)

    def _redirect(self) -> Redirect:
        token = self._take()
        target = self._take()
        if target.operator:
            raise ShellSyntaxError(f"syntax error: unexpected '{target.operator}'")
        default = 0 if token.operator == "<" else 1
        return Redirect(default if token.descriptor is None else token.descriptor, token.operator, target.word)

    def _simple(self) -> Simple:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while (token := self._peek()) is not None:
            if token.operator in _REDIRECTS:
                redirects.append(self._redirect())
            elif token.operator:
                break
            else:
                self._at += 1
                assignment = None if words else _assignment(token.word)
                if assignment:
                    assignments.append(assignment)
                else:
                    words.append(token.word)
        if not (assignments or words or redirects):
            token = self._take()
            raise ShellSyntaxError(f"syntax error: unexpected '{token.operator}'")
        return Simple(tuple(assignments), tuple(words), tuple(redirects))


def _assignment(word: Word) -> tuple[str, Word] | None:
    """``NAME=value`` split into name and value; None if the word is no assignment."""
    name = ""
    for index, piece in enumerate(word):
        if piece.quoted or piece.is_variable:
            return None
        if piece.text == "=":
            return (name, word[index + 1 :]) if _NAME.fullmatch(name) else None
        name += piece.text
    return None


def parse(text: str) -> Sequence:
    """The program that ``text`` is.

    Raises:
        IncompleteError: another line may complete it.
        ShellSyntaxError: it is not in the language.
    """
    parser = _Parser(_tokens(text))
    program = parser.sequence()
    parser.end()
    return program
