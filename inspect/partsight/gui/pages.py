"""Which pages there are, in the order of the side bar and of Ctrl+1 to Ctrl+7; imported when a window is made."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from partsight.gui.client import Client
from partsight.gui.page import Page
from partsight.gui.signs import Sign


@dataclass(frozen=True, slots=True)
class PageSpec:
    """A page. where: module:class."""

    key: str
    sign: Sign
    where: str

    @property
    def word(self) -> str:
        """The title in the language that is on."""
        return {
            "line": QCoreApplication.translate("pages", "Line"),
            "rejects": QCoreApplication.translate("pages", "Rejects"),
            "review": QCoreApplication.translate("pages", "Review"),
            "trends": QCoreApplication.translate("pages", "Trends"),
            "recipe": QCoreApplication.translate("pages", "Recipe"),
            "challenge": QCoreApplication.translate("pages", "Test"),
            "faults": QCoreApplication.translate("pages", "Faults"),
        }[self.key]

    def make(self, client: Client, parent: QWidget | None = None) -> Page:
        """A new one."""
        module, _, name = self.where.partition(":")
        page = getattr(import_module(module), name)(client, parent)
        if not isinstance(page, Page):
            raise TypeError(f"{self.where} is no Page")
        return page


PAGES: tuple[PageSpec, ...] = (
    PageSpec("line", Sign.LINE, "partsight.gui.line.page:LinePage"),
    PageSpec("rejects", Sign.REJECTS, "partsight.gui.rejects.page:RejectsPage"),
    PageSpec("review", Sign.QUEUE, "partsight.gui.review.page:ReviewPage"),
    PageSpec("trends", Sign.TRENDS, "partsight.gui.trends.page:TrendsPage"),
    PageSpec("recipe", Sign.RECIPE, "partsight.gui.recipe.page:RecipePage"),
    PageSpec("challenge", Sign.CHALLENGE, "partsight.gui.challenge.page:ChallengePage"),
    PageSpec("faults", Sign.FAULTS, "partsight.gui.faults.page:FaultsPage"),
)


def present() -> tuple[PageSpec, ...]:
    """Those whose module is there."""
    return tuple(spec for spec in PAGES if _is_there(spec.where.partition(":")[0]))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
