"""Questions to a person: each has a default, an option that answers it, and an answer that is checked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from partsight.config.reading import mistakes_of
from partsight.domain.errors import ConfigError, Mistake, PartsightError

T = TypeVar("T")


def field_of(table: type[BaseModel], key: str, others: Mapping[str, Any]) -> Callable[[str], Any]:
    """A check of one answer by the table that will hold it. `others`: what the table needs besides.

    The check returns the value as the table has it, and raises ValueError with the reason.
    """

    def check(text: str) -> Any:
        try:
            return getattr(table.model_validate({**others, key: text}), key)
        except ValidationError as error:
            raise ValueError("; ".join(m.problem for m in mistakes_of(error, "", ""))) from error

    return check


def one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    """A check that takes the known words only."""

    def check(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text!r} is not one of {', '.join(known)}")
        return text

    return check


def optional(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """A check that takes an empty answer as None."""

    def checked(text: str) -> Any:
        return check(text) if text else None

    return checked


class Questions:
    """Asks on the terminal, or takes the options and defaults alone where nobody is to be asked.

    What an option got wrong is collected, so that all of it can be told at once.
    """

    def __init__(self, *, ask: bool) -> None:
        self.asks = ask
        self.mistakes: list[Mistake] = []

    def answer(
        self, option: str, text: str, default: str, check: Callable[[str], T], given: str | float | None = None
    ) -> T:
        """The option's value where it was given, else what the person answers, else the default.

        A bad answer is asked again with the reason. A bad option becomes a mistake, and the default goes on in its
        place, so that what comes after is looked at too.
        """
        if given is not None:
            try:
                return check(str(given))
            except (ValueError, PartsightError) as problem:
                self.mistakes.append(Mistake(option, "", str(problem)))
                return self._default(option, default, check)
        if not self.asks:
            return self._default(option, default, check)
        answer: T = typer.prompt(text, default=default, value_proc=_asked_again(check), err=True)
        return answer

    def _default(self, option: str, default: str, check: Callable[[str], T]) -> T:
        try:
            return check(default)
        except (ValueError, PartsightError) as problem:
            # Nothing to go on with: a default may be missing on this machine.
            if not any(mistake.file == option for mistake in self.mistakes):
                self.mistakes.append(Mistake(option, "", str(problem)))
            raise ConfigError(self.mistakes) from problem

    def finish(self) -> None:
        """Raises ConfigError where an option was wrong."""
        if self.mistakes:
            raise ConfigError(self.mistakes)


def _asked_again(check: Callable[[str], T]) -> Callable[[str], T]:
    """A check that makes the prompt tell the reason and ask again."""

    def checked(text: str) -> T:
        try:
            return check(text.strip())
        except (ValueError, PartsightError) as problem:
            raise typer.BadParameter(str(problem)) from problem

    return checked
