"""Annotation readers: real files in each form, and each way in which one can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from partsight.domain.errors import ConfigError
from partsight.scoring.annotations import AnnotatedSet, Sample, read_annotations
from partsight.scoring.data_yaml import read_data_yaml


def image(path: Path, width: int = 40, height: int = 20) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.zeros((height, width), np.uint8))
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def named(found: AnnotatedSet, name: str) -> Sample:
    return next(s for s in found.samples if s.image.name == name)


def boxes_of(sample: Sample) -> list[tuple[str, list[float]]]:
    boxes = sample.boxes_px(40, 20)
    return [(sample.names[c], b.tolist()) for c, b in zip(sample.class_ids, boxes, strict=True)]


# --- DeepPCB ---------------------------------------------------------------------------------------


def pcb(root: Path, annotations: dict[str, str | None]) -> Path:
    lines = []
    for name, text in annotations.items():
        group = f"group{name[:2]}"
        image(root / f"PCBData/{group}/{name[:2]}/{name}_test.jpg")
        image(root / f"PCBData/{group}/{name[:2]}/{name}_temp.jpg")
        lines.append(f"{group}/{name[:2]}/{name}.jpg {group}/{name[:2]}_not/{name}.txt")
        if text is not None:
            write(root / f"PCBData/{group}/{name[:2]}_not/{name}.txt", text)
    write(root / "PCBData/test.txt", "\n".join(lines) + "\n")
    return root


def test_deeppcb_gives_the_defect_board_and_its_template(tmp_path: Path) -> None:
    found = read_annotations(pcb(tmp_path, {"11001": "1 2 11 12 1\n5 5 9 9 6", "22001": "0 0 4 4 3\n"}))
    assert found.form == "deeppcb"
    assert [s.image.name for s in found.samples] == [
        "11001_test.jpg", "11001_temp.jpg", "22001_test.jpg", "22001_temp.jpg",
    ]  # fmt: skip
    board, template = found.samples[:2]
    assert boxes_of(board) == [("open", [1, 2, 11, 12]), ("pin-hole", [5, 5, 9, 9])]
    assert (board.good, board.scored, board.group) == (False, True, "group11")
    assert (template.good, template.scored, template.group) == (True, False, "group11")
    assert found.mistakes == ()


def test_deeppcb_is_also_found_from_inside(tmp_path: Path) -> None:
    pcb(tmp_path, {"11001": "1 2 11 12 1"})
    assert read_annotations(tmp_path / "PCBData").form == "deeppcb"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("1 2 11 12 1\n1 2 11 x 1", 2, "five whole numbers"),
        ("1 2 11 12", 1, "five whole numbers"),
        ("1 2 11 12 7", 1, "type is 7"),
        ("1 2 11 12 0", 1, "type is 0"),
        ("11 2 1 12 1", 1, "has no area"),
        ("\n\n", 0, "no defect in it"),
        (None, 0, "cannot be read"),
    ],
)
def test_a_wrong_deeppcb_annotation_is_never_a_good_part(
    tmp_path: Path, text: str | None, line: int, reason: str
) -> None:
    found = read_annotations(pcb(tmp_path, {"11001": text, "11002": "1 2 11 12 1"}))
    assert named(found, "11001_test.jpg").good is None
    assert named(found, "11002_test.jpg").good is False
    assert found.annotated == 3
    (mistake,) = found.mistakes
    assert (mistake.file.name, mistake.line) == ("11001.txt", line)
    assert reason in mistake.reason


def test_a_deeppcb_split_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no split file val\.txt.*test and trainval"):
        read_annotations(pcb(tmp_path, {"11001": "1 2 11 12 1"}), "val")


def test_a_wrong_line_of_a_split_file_is_listed(tmp_path: Path) -> None:
    pcb(tmp_path, {"11001": "1 2 11 12 1"})
    with (tmp_path / "PCBData/test.txt").open("a") as file:
        file.write("only-one-field.jpg\n")
    found = read_annotations(tmp_path)
    assert len(found.samples) == 2
    assert [(m.file.name, m.line) for m in found.mistakes] == [("test.txt", 2)]


@pytest.mark.deeppcb
def test_the_real_test_split_reads_without_a_mistake(deeppcb: Path) -> None:
    found = read_annotations(deeppcb, "test")
    boards = [s for s in found.samples if s.scored]
    assert len(boards) == 300
    assert len(found.samples) == 600
    assert found.mistakes == ()
    assert sum(len(s.class_ids) for s in boards) == 1873
    assert all((s.boxes >= 0).all() and (s.boxes <= 640).all() for s in boards)
    assert len({s.group for s in boards}) == 11
    assert all(s.image.is_file() for s in found.samples)


# --- YOLO ------------------------------------------------------------------------------------------

YAML = """\
# comment
path: .   # here
train: images/train
val:
  - images/val
nc: 2
names:
  0: open
  1: "pin-hole"
download: none
"""


def test_yolo_with_data_yaml(tmp_path: Path) -> None:
    write(tmp_path / "data.yaml", YAML)
    image(tmp_path / "images/train/a.png")
    image(tmp_path / "images/val/b.png")
    image(tmp_path / "images/val/c.png")
    write(tmp_path / "labels/train/a.txt", "1 0.5 0.5 0.5 1.0\n0 0.0 0.0 0.5 0.0 0.5 0.5\n")
    write(tmp_path / "labels/val/b.txt", "")
    found = read_annotations(tmp_path)
    assert found.form == "yolo"
    assert found.names == ("open", "pin-hole")
    assert boxes_of(named(found, "a.png")) == [("pin-hole", [10, 0, 30, 20]), ("open", [0, 0, 20, 10])]
    assert named(found, "b.png").good is True, "an empty label says that nothing is wrong"
    assert named(found, "c.png").good is None, "no label says nothing"
    assert named(found, "a.png").group != named(found, "b.png").group == named(found, "c.png").group
    assert [s.image.name for s in read_annotations(tmp_path, "val").samples] == ["b.png", "c.png"]


def test_yolo_labels_beside_the_images_with_classes_txt(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "b.png")
    write(tmp_path / "a.txt", "1 0.5 0.5 0.5 0.5")
    write(tmp_path / "classes.txt", "open\nshort\n")
    write(tmp_path / "notes.md", "other files are fine")
    found = read_annotations(tmp_path)
    assert [s.image.name for s in found.samples] == ["a.png", "b.png"]
    assert boxes_of(found.samples[0]) == [("short", [10, 5, 30, 15])]
    assert found.samples[0].group != found.samples[1].group, "one folder for all says nothing about likeness"


def test_yolo_labels_without_names_take_the_models(tmp_path: Path) -> None:
    image(tmp_path / "images/a.png")
    write(tmp_path / "labels/a.txt", "1 0.5 0.5 0.5 0.5")
    assert read_annotations(tmp_path, names=("open", "short")).samples[0].names == ("open", "short")
    assert read_annotations(tmp_path / "images", names=("open", "short")).samples[0].good is False


def test_one_image_with_its_label(tmp_path: Path) -> None:
    image(tmp_path / "images/a.png")
    write(tmp_path / "labels/a.txt", "0 0.5 0.5 0.5 0.5")
    found = read_annotations(tmp_path / "images/a.png", names=("open",))
    assert [s.good for s in found.samples] == [False]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("open 0.5 0.5 0.5 0.5", "expected a class number"),
        ("0 0.5 0.5 0.5", "3 coordinates"),
        ("2 0.5 0.5 0.5 0.5", "class is 2; 2 classes"),
        ("-1 0.5 0.5 0.5 0.5", "class is -1"),
        ("0 50 50 10 10", "must be relative"),
        ("0 nan 0.5 0.5 0.5", "must be relative"),
        ("0 0.5 0.5 0 0.5", "no area"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "7 coordinates"),
    ],
)
def test_a_wrong_yolo_line_is_never_a_good_part(tmp_path: Path, line: str, reason: str) -> None:
    image(tmp_path / "images/a.png")
    write(tmp_path / "labels/a.txt", f"1 0.5 0.5 0.5 0.5\n{line}\n")
    found = read_annotations(tmp_path, names=("open", "short"))
    assert found.samples[0].good is None
    (mistake,) = found.mistakes
    assert (mistake.file.name, mistake.line) == ("a.txt", 2)
    assert reason in mistake.reason


def test_a_binary_label_file_is_a_mistake_too(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\x81")
    found = read_annotations(tmp_path, names=("open",))
    assert found.samples[0].good is None
    assert "cannot be read" in str(found.mistakes[0])


@pytest.mark.parametrize(
    "names",
    [
        "[open, 'pin-hole']",
        "{0: open, 1: pin-hole}",
        "\n- open\n- pin-hole",
        "\n  1: pin-hole\n  0: open",
        "[open,\n  pin-hole]",
    ],
)
def test_every_way_to_write_names(tmp_path: Path, names: str) -> None:
    path = write(tmp_path / "data.yaml", f"train: ../train/images\nnames: {names}\nnc: 2\n")
    assert read_data_yaml(path).names == ("open", "pin-hole")


def test_an_exported_set_unpacked_one_folder_higher(tmp_path: Path) -> None:
    write(tmp_path / "data.yaml", "test: ../test/images\nnames: [open]\n")
    image(tmp_path / "test/images/a.png")
    assert [s.image.name for s in read_annotations(tmp_path, "test").samples] == ["a.png"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("names: [open", r"data\.yaml:1.*bracket"),
        ("names:\n  0: open\n  2: short\n", r"data\.yaml:2.*do not count from 0"),
        ("names:\n  0: open\n  short\n", r"data\.yaml:3.*number: name"),
        ("test: nowhere\nnames: [open]", "there is no .*nowhere"),
        ("names: [open]", "no such split"),
    ],
)
def test_a_wrong_data_yaml_is_an_error_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    write(tmp_path / "data.yaml", text)
    image(tmp_path / "images/a.png")
    with pytest.raises(ConfigError, match=problem):
        read_annotations(tmp_path, "test")


# --- COCO ------------------------------------------------------------------------------------------


def coco(root: Path, annotations: list[object], **more: object) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        image(root / "images" / name)
    content = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 7, "file_name": "b.png"}],
        "categories": [{"id": 9, "name": "short"}, {"id": 4, "name": "open"}],
        "annotations": annotations,
        **more,
    }
    write(root / "annotations/instances_val.json", json.dumps(content))
    return root


def test_coco(tmp_path: Path) -> None:
    found = read_annotations(coco(tmp_path, [{"image_id": 1, "category_id": 9, "bbox": [1, 2, 10.5, 4]}]))
    assert (found.form, found.names) == ("coco", ("open", "short"))
    assert boxes_of(named(found, "a.png")) == [("short", [1, 2, 11.5, 6])]
    assert named(found, "b.png").good is True, "listed without annotation: nothing wrong"
    assert named(found, "c.png").good is None, "not listed: nothing is known"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"image_id": 7, "category_id": 5, "bbox": [1, 2, 3, 4]}, "unknown category_id 5"),
        ({"image_id": 7, "category_id": 4, "bbox": [1, 2, 3]}, "not four numbers"),
        ({"image_id": 7, "category_id": 4}, "not four numbers"),
        ({"image_id": 7, "category_id": 4, "bbox": [1, 2, 0, 4]}, "no area"),
        ({"image_id": 7, "category_id": 4, "bbox": [1, 2, 3, 4], "iscrowd": 1}, "crowd"),
    ],
)
def test_a_wrong_coco_annotation_is_never_a_good_part(tmp_path: Path, entry: object, reason: str) -> None:
    found = read_annotations(coco(tmp_path, [entry, {"image_id": 1, "category_id": 4, "bbox": [1, 2, 3, 4]}]))
    assert named(found, "b.png").good is None
    assert named(found, "a.png").good is False
    assert [reason in m.reason for m in found.mistakes] == [True]
    assert "annotations[0] of b.png" in str(found.mistakes[0])


def test_an_annotation_of_an_unknown_image_is_listed(tmp_path: Path) -> None:
    found = read_annotations(coco(tmp_path, [{"image_id": 3, "category_id": 4, "bbox": [1, 2, 3, 4]}, "nonsense"]))
    assert len(found.mistakes) == 2


def test_a_cut_off_coco_file_leaves_every_image_unannotated(tmp_path: Path) -> None:
    coco(tmp_path, [])
    path = tmp_path / "annotations/instances_val.json"
    path.write_text(path.read_text()[:-20])
    found = read_annotations(tmp_path)
    assert [s.good for s in found.samples] == [None, None, None]
    assert "no readable JSON" in str(found.mistakes[0])
    assert "instances_val.json" in str(found.mistakes[0])


def test_several_coco_files_need_a_split(tmp_path: Path) -> None:
    coco(tmp_path, [])
    text = (tmp_path / "annotations/instances_val.json").read_text()
    write(tmp_path / "annotations/instances_train.json", text)
    with pytest.raises(ConfigError, match="several COCO file"):
        read_annotations(tmp_path)
    assert read_annotations(tmp_path, "train").form == "coco"


# --- none ------------------------------------------------------------------------------------------


def test_a_folder_without_annotations(tmp_path: Path) -> None:
    image(tmp_path / "lot1/b.PNG")
    image(tmp_path / "lot2/a.jpg")
    image(tmp_path / ".cache/hidden.png")
    write(tmp_path / "readme.txt", "text")
    write(tmp_path / "settings.json", '{"info": 1}')
    found = read_annotations(tmp_path)
    assert (found.form, found.annotated) == ("none", 0)
    assert [s.image.name for s in found.samples] == ["b.PNG", "a.jpg"]


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        read_annotations(tmp_path / "nowhere")
