"""The recipe page: which recipe, its three parts, the effect at the right, and the way to a new version.

Everybody may move sliders and draw, to see what it would do; to save is for engineers. What is changed and not saved
is kept for as long as the screen runs, whatever happens to the connection or the page.
"""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.calls import Refusal
from partsight.gui.client import Client
from partsight.gui.page import Page
from partsight.gui.recipe.bar import Bar
from partsight.gui.recipe.classes import ClassList
from partsight.gui.recipe.dialogs import CompareDialog, PartDialog, RemarkDialog
from partsight.gui.recipe.draft import Draft, Drafts, recipe_path, settings_of
from partsight.gui.recipe.effect import Effect
from partsight.gui.recipe.mistakes import Sorted, sort_mistakes
from partsight.gui.recipe.regions import RegionPanel
from partsight.gui.recipe.versions import Versions
from partsight.gui.signs import Sign
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Banner, Empty, button, text_label
from partsight.gui.widgets.question import Choice, Question
from partsight.wire.screen.people import Role
from partsight.wire.screen.recipes import RecipeDetail, RecipeRestore, RecipeRow, RecipeSaved
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import EventNote, Gap, Welcome

EFFECT_WIDTH = 270
SAVE_S = 45.0
"""The active recipe is proven in the lane before the answer comes."""
CONFLICT = 409


class RecipePage(Page):
    """See the module."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(client, parent)
        self.drafts = Drafts.on(client)
        self.draft: Draft | None = None
        self.rows: list[RecipeRow] = []
        self._newer: RecipeDetail | None = None
        self._saving = False
        self._judging = ""
        self.classes, self.regions, self.versions = ClassList(), RegionPanel(client), Versions()
        self.effect = Effect(client)
        self.bar = Bar(client, self)
        self._build()
        self._connect()
        if self.drafts.chosen in self.drafts.by_name:
            self._use(self.drafts.by_name[self.drafts.chosen])
        self._show_right()

    # Building

    def _build(self) -> None:
        look = Look.here()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(*(look.px(10),) * 4)
        outer.setSpacing(look.px(8))
        outer.addWidget(self.bar)
        self.said = text_label("", "", wrap=True)
        self.said.hide()
        self.stale = Banner(Sign.WARN, "warn")
        self.reload, self.compare = button(self.tr("Load it")), button(self.tr("Compare"), "primary")
        self.stale.add(self.reload)
        self.stale.add(self.compare)
        self.stale.hide()
        outer.addWidget(self.stale)
        outer.addWidget(self.said)
        self.empty = Empty(self.tr("Loading …"))
        outer.addWidget(self.empty, 1)
        self.body = QWidget()
        row = QHBoxLayout(self.body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look.px(8))
        left = QVBoxLayout()
        left.setSpacing(look.px(8))
        left.addLayout(self._tab_bar(look))
        self.tabs = QStackedWidget()
        for widget in (self.classes, self.regions, self.versions):
            self.tabs.addWidget(widget)
        left.addWidget(self.tabs, 1)
        row.addLayout(left, 1)
        self.effect.setFixedWidth(look.px(EFFECT_WIDTH))
        row.addWidget(self.effect)
        self.body.hide()
        outer.addWidget(self.body, 1)

    def _tab_bar(self, look: Look) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(look.px(6))
        self.tab_buttons = QButtonGroup(self)
        for place, word in enumerate((self.tr("Thresholds"), self.tr("Regions"), self.tr("Versions"))):
            made = button(word)
            made.setCheckable(True)
            self.tab_buttons.addButton(made, place)
            row.addWidget(made)
        row.addStretch(1)
        return row

    def _connect(self) -> None:
        client = self.client
        self.bar.chosen.connect(self._open_recipe)
        self.bar.use.said.connect(self._say)
        self.tab_buttons.idClicked.connect(self.show_tab)
        self.classes.changed.connect(self._class_changed)
        self.classes.let_go.connect(self._let_go)
        self.regions.changed.connect(self._regions_changed)
        self.regions.let_go.connect(self._let_go)
        self.versions.restore_wanted.connect(self._restore)
        self.effect.opened.connect(self._open_part)
        self.bar.undo.clicked.connect(self._undo)
        self.bar.redo.clicked.connect(self._redo)
        self.bar.save.clicked.connect(self.ask_remark)
        self.bar.discard.clicked.connect(self._ask_discard)
        self.reload.clicked.connect(self._load_newer)
        self.compare.clicked.connect(self._compare)
        client.session.connect(self._show_right)
        client.link_changed.connect(self._show_right)
        client.happened.connect(self._take_event)
        client.status.connect(self._see_judging)
        client.welcome.connect(self._refresh)
        client.gap.connect(self._refresh)
        self.show_tab(self.drafts.tab)

    # Loading

    def opened(self) -> None:
        """Ask for the recipes, and for the one that is shown."""
        self._refresh()

    def closed(self) -> None:
        """Ask about what is not saved, where another page was chosen; not for a login or a new look."""
        QTimer.singleShot(0, self, self._ask_left)

    def unsaved(self) -> str:
        """The recipes that were changed, where whoever is here could save them."""
        names = ", ".join(self.drafts.dirty) if self.client.may(Role.ENGINEER) else ""
        return self.tr("recipe {names}").format(names=names) if names else ""

    def take(self, what: object) -> None:
        """The name of a recipe."""
        if isinstance(what, str):
            self._open_recipe(what)

    def _refresh(self, _what: Gap | Welcome | None = None) -> None:
        if not self.is_open:
            return
        self.client.call("GET", "recipes", answer=list[RecipeRow], then=self._show_rows, failed=self._no_answer)

    def _show_rows(self, rows: list[RecipeRow]) -> None:
        self.rows = rows
        names = {row.name for row in rows}
        active = next((row.name for row in rows if row.active), next(iter(sorted(names)), ""))
        if self.drafts.chosen not in names:
            self.drafts.chosen = active
        self.bar.show_rows(self.rows, self.drafts.chosen)
        if self.drafts.chosen:
            self._ask_detail(self.drafts.chosen)
        else:
            self._say_empty(self.tr("There is no recipe here."))

    def _ask_detail(self, name: str) -> None:
        self.client.call("GET", recipe_path(name), answer=RecipeDetail, then=self._loaded, failed=self._no_answer)

    def _no_answer(self, refusal: Refusal) -> None:
        if self.draft is None:
            self._say_empty(str(refusal))
        else:
            self._say(str(refusal))

    def _say_empty(self, text: str) -> None:
        self.empty.text.setText(text)
        self.empty.show()
        self.body.hide()

    def _open_recipe(self, name: str) -> None:
        self.drafts.chosen = name
        self._newer = None
        self._say("")
        self._show_mistakes(())
        self.bar.show_rows(self.rows, self.drafts.chosen)
        kept = self.drafts.by_name.get(name)
        self.draft = None
        if kept is not None:
            self._use(kept)
        else:
            self._say_empty(self.tr("Loading …"))
        self._ask_detail(name)

    def _loaded(self, detail: RecipeDetail) -> None:
        if detail.name != self.drafts.chosen:
            return
        kept = self.drafts.by_name.get(detail.name)
        if kept is None or not kept.dirty or settings_of(detail) == kept.now:
            self._newer = None
            same = kept is not None and not kept.dirty and kept.base.revision == detail.revision
            self._use(kept.seen(detail) if same and kept is not None else Draft.of(detail))
        elif kept.base.revision == detail.revision:
            self._newer = None
            self._use(kept.seen(detail))
        else:
            self._newer = detail
            self._use(kept)

    def _use(self, draft: Draft) -> None:
        self.draft = draft
        self.drafts.by_name[draft.base.name] = draft
        self.empty.hide()
        self.body.show()
        self._show()

    # Showing

    def _show(self) -> None:
        draft = self.draft
        if draft is None:
            return
        self.classes.show_all(draft.now.classes, draft.base.classes, draft.base.floor)
        self.regions.show_draft(draft)
        self.versions.show_detail(draft.base)
        self.stale.setVisible(self._newer is not None)
        if self._newer is not None:
            text = self.tr("Version {n} was saved meanwhile. Your changes are kept.")
            self.stale.text.setText(text.format(n=self._newer.revision))
        self._show_right()
        self.effect.ask(draft)

    def _show_right(self, _what: object = None) -> None:
        why_not = self.bar.show_draft(self.draft, saving=self._saving)
        self.versions.set_right(not why_not, why_not)
        # To draw and see what it would do is for everybody.
        self.regions.set_right(True, "")

    def show_tab(self, place: int) -> None:
        """0: thresholds, 1: regions, 2: versions."""
        self.drafts.tab = place
        self.tab_buttons.button(place).setChecked(True)
        self.tabs.setCurrentIndex(place)

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))

    def _show_mistakes(self, mistakes: tuple[str, ...]) -> None:
        found = sort_mistakes(mistakes, tuple(self.classes.cards)) if mistakes else Sorted()
        self.classes.show_mistakes(found.classes)
        self.regions.show_mistakes(found.regions)
        if found.others:
            self._say("\n".join(found.others))
        if found.classes or found.regions:
            self.show_tab(0 if found.classes else 1)

    # Changing

    def _class_changed(self, name: str, setting: object, what: str) -> None:
        if self.draft is not None:
            self.draft.set_class(name, setting, what)  # type: ignore[arg-type]  # Qt's signals carry objects
            self._changed()

    def _regions_changed(self, camera: str, regions: object, what: str) -> None:
        if self.draft is not None:
            self.draft.set_regions(camera, regions, what)  # type: ignore[arg-type]  # Qt's signals carry objects
            self._changed()

    def _changed(self) -> None:
        self._say("")
        self._show()

    def _let_go(self) -> None:
        if self.draft is not None:
            self.draft.seal()

    def _undo(self) -> None:
        if self.draft is not None:
            self.draft.undo()
            self._changed()

    def _redo(self) -> None:
        if self.draft is not None:
            self.draft.redo()
            self._changed()

    def _ask_discard(self) -> None:
        text = self.tr("All changes since version {n} are dropped.")
        revision = self.draft.base.revision if self.draft is not None else 0
        self._ask(self.tr("Discard changes?"), text.format(n=revision), (self.tr("Discard"), "danger", self._drop))

    def _drop(self) -> None:
        if self.draft is not None:
            self._show_mistakes(())
            self._use(Draft.of(self._newer or self.draft.base))
            self._newer = None
            self._changed()

    def _ask(self, title: str, text: str, *choices: Choice) -> None:
        Question(self.window(), title, text, (*choices, (self.tr("Cancel"), "plain", None))).open()

    def _ask_left(self) -> None:
        """Only where a person went to another page: a login page or a new look asks nothing."""
        stack = self.parent()
        left = isinstance(stack, QStackedWidget) and stack.isVisible() and isinstance(stack.currentWidget(), Page)
        if self.is_open or not left or self.draft is None or not self.draft.dirty:
            return
        if not self.client.may(Role.ENGINEER):
            return
        title = self.tr("The recipe has changes that are not saved")
        text = self.tr("They are kept while this screen runs, and judge nothing before they are saved.")
        choices: tuple[Choice, ...] = (
            (self.tr("Go back"), "primary", self._go_back),
            (self.tr("Discard"), "danger", self._drop),
            (self.tr("Keep for later"), "plain", None),
        )
        Question(self.window(), title, text, choices).open()

    def _go_back(self) -> None:
        self.wanted.emit("recipe", None)

    # Saving

    def ask_remark(self) -> None:
        """Why, then save."""
        if self.draft is not None:
            title = self.tr("Save {name} as a new version").format(name=self.draft.base.name)
            RemarkDialog(self.window(), title, self.save_now).open()

    def save_now(self, remark: str) -> None:
        """Ask the station to save."""
        draft = self.draft
        if draft is None or self._saving:
            return
        self._saving = True
        self._show_mistakes(())
        self._say(self.tr("Saving …"))
        self._show_right()
        path = recipe_path(draft.base.name)
        body = draft.save(remark)
        self.client.call(
            "PUT", path, body=body, answer=RecipeSaved, then=self._saved, failed=self._refused, timeout_s=SAVE_S
        )

    def _restore(self, revision: int, remark: str) -> None:
        draft = self.draft
        if draft is None or self._saving:
            return
        self._saving = True
        self._say(self.tr("Saving …"))
        self._show_right()
        self.client.call(
            "POST",
            recipe_path(draft.base.name, "restore"),
            body=RecipeRestore(revision=revision, remark=remark),
            answer=RecipeSaved,
            then=self._restored,
            failed=self._refused,
            timeout_s=SAVE_S,
        )

    def _saved(self, saved: RecipeSaved) -> None:
        self._saving, self._newer = False, None
        self._use(Draft.of(saved))
        self._tell_saved(saved)

    def _restored(self, saved: RecipeSaved) -> None:
        self._saving, self._newer = False, None
        kept = self.drafts.by_name.get(saved.name)
        self._use(kept.onto(saved) if kept is not None and kept.dirty else Draft.of(saved))
        self._tell_saved(saved)

    def _tell_saved(self, saved: RecipeSaved) -> None:
        words = [self.tr("Saved as version {n}.").format(n=saved.revision)]
        if saved.selected:
            words.append(self.tr("It judges from now on."))
        elif saved.text:
            words.append(saved.text)
        self._say(" ".join(words))

    def _refused(self, refusal: Refusal) -> None:
        self._saving = False
        self._show_right()
        if refusal.mistakes:
            self._say(refusal.text)
            self._show_mistakes(refusal.mistakes)
        else:
            self._say(str(refusal))
        if refusal.status in {CONFLICT, 0}:
            # Somebody else was quicker, or nobody knows whether it was saved: see what is there now.
            self._refresh()

    def _take_event(self, event: EventNote) -> None:
        if event.kind == "recipe" and not self._saving:
            self._refresh()

    def _see_judging(self, note: StationNote) -> None:
        """The event may come before the status that says which recipe judges now."""
        if note.recipe != self._judging:
            self._judging = note.recipe
            self._refresh()

    def _load_newer(self) -> None:
        newer = self._newer
        if newer is not None:
            text = self.tr("Your changes are dropped, and version {n} is shown.").format(n=newer.revision)
            self._ask(self.tr("Load the newer version?"), text, (self.tr("Load it"), "danger", self._drop))

    def _compare(self) -> None:
        if self.draft is not None and self._newer is not None:
            CompareDialog(self.window(), self.draft, self._newer, self._put_onto, self._drop).open()

    def _put_onto(self) -> None:
        if self.draft is not None and self._newer is not None:
            draft = self.draft.onto(self._newer)
            self._newer = None
            self._use(draft)

    def _open_part(self, sequence: object) -> None:
        if isinstance(sequence, int):
            PartDialog(self.window(), self.client, sequence).open()
