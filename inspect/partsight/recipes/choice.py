"""The recipe that people have chosen at run time, kept in the data folder: the next start judges by it again.

`recipes/chosen.json` is there only where another one than the configured recipe was chosen. It counts for as long as
the configuration names the recipe that it named then; see docs/decisions/0021.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from partsight.domain.errors import ConfigError, Mistake
from partsight.recipes.versions import write_whole
from partsight.wire.screen.message import Answer, Time

CURE = "choose a recipe again, or delete this file to judge by the configured one"


class Choice(Answer):
    """recipe: by its name. configured: what the configuration named when it was chosen. source: who, from where."""

    recipe: str
    configured: str
    source: str
    at: Time


def choice_file(data: Path) -> Path:
    """Where it is kept. data: the station's."""
    return data / "recipes" / "chosen.json"


def read_choice(data: Path) -> Choice | None:
    """None where the configured recipe judges. Raises ConfigError where nobody can say any more what was chosen."""
    file = choice_file(data)
    try:
        return Choice.model_validate_json(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):  # whoever opens the data folder says what is wrong with it
        return None
    except (OSError, ValidationError) as error:
        text = f"holds which recipe was chosen, and cannot be read: {str(error).splitlines()[0]}"
        raise ConfigError([Mistake(str(file), "", text, CURE)]) from error


def keep_choice(data: Path, choice: Choice | None) -> None:
    """Durable when this returns. None: the configured recipe judges from now on. Raises OSError."""
    file = choice_file(data)
    if choice is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, choice.model_dump_json(indent=1).encode())
    elif file.exists():
        file.unlink()
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
