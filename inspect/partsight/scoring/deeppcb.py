"""DeepPCB's form: split files of image and annotation pairs, each with a defect-free template."""

from __future__ import annotations

from pathlib import Path

from partsight.domain.errors import ConfigError, Mistake
from partsight.scoring.samples import AnnotatedSet, AnnotationMistake, Sample, make_sample, unannotated

CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
"""Type 1 to 6 of an annotation line, in this order."""


class _BadLine(ValueError):
    pass


def split_file(root: Path, split: str) -> Path | None:
    """The split file of a DeepPCB folder, or None where `root` is no such folder."""
    for base in (root / "PCBData", root):
        path = base / f"{split}.txt"
        if path.is_file() and _is_split(path):
            return path
    return None


def _is_split(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = next((line.split() for line in lines if line.strip()), [])
    return len(first) == 2 and first[0].lower().endswith(".jpg") and first[1].lower().endswith(".txt")


def is_deeppcb(root: Path) -> bool:
    """True where a split file of DeepPCB's form lies in `root` or in its folder PCBData."""
    return any(split_file(root, split) for split in ("test", "trainval"))


def read_deeppcb(root: Path, split: str = "test") -> AnnotatedSet:
    """Both images of each pair of `split` ("test" or "trainval"), defect board first, then its template.

    The template is an OK part; it is not `scored`, as in its authors' evaluation. The group is the
    first folder of the pair's path. Raises ConfigError where the split is not there.
    """
    path = split_file(root, split)
    if path is None:
        raise ConfigError(
            [Mistake(str(root), f"--split {split}", f"no split file {split}.txt", "DeepPCB has test and trainval")]
        )
    samples: list[Sample] = []
    mistakes: list[AnnotationMistake] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not fields[0].lower().endswith(".jpg"):
            mistakes.append(AnnotationMistake(path, number, "not an image and an annotation; the pair is left out"))
            continue
        samples += _read_pair(path.parent, fields[0], fields[1], mistakes)
    return AnnotatedSet("deeppcb", CLASSES, tuple(samples), tuple(mistakes))


def _read_pair(base: Path, image: str, annotation: str, mistakes: list[AnnotationMistake]) -> tuple[Sample, Sample]:
    group = Path(image).parts[0]
    stem = base / image[: -len(".jpg")]
    tested, template = Path(f"{stem}_test.jpg"), Path(f"{stem}_temp.jpg")
    good = make_sample(template, group, CLASSES, [], scored=False)
    path = base / annotation
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        mistakes.append(AnnotationMistake(path, 0, f"cannot be read: {problem}"))
        return unannotated(tested, group, CLASSES), good
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(_parse(line))
        except _BadLine as problem:
            mistakes.append(AnnotationMistake(path, number, str(problem)))
            return unannotated(tested, group, CLASSES), good
    if not rows:
        mistakes.append(AnnotationMistake(path, 0, "no defect in it, though the pair's tested board has some"))
        return unannotated(tested, group, CLASSES), good
    return make_sample(tested, group, CLASSES, rows), good


def _parse(line: str) -> tuple[int, tuple[float, float, float, float]]:
    try:
        x1, y1, x2, y2, kind = (int(field) for field in line.split())
    except ValueError:
        raise _BadLine(f"expected five whole numbers x1 y1 x2 y2 type, found {line.strip()[:60]!r}") from None
    if not 1 <= kind <= len(CLASSES):
        raise _BadLine(f"type is {kind}; 1 to {len(CLASSES)} expected")
    if x2 <= x1 or y2 <= y1:
        raise _BadLine(f"box {x1} {y1} {x2} {y2} has no area")
    return kind - 1, (float(x1), float(y1), float(x2), float(y2))
