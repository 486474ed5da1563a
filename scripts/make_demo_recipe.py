"""Makes the pictures of configs/recipes/demo-board/ from the simulated part type A.

    .venv/bin/python scripts/make_demo_recipe.py

The recipe itself is written by hand; tests/station/test_demo_recipe.py checks that its places and pictures still
are those of the simulated board.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from partsight.cameras.simulated.world import Reference, reference

FOLDER = Path(__file__).resolve().parents[1] / "configs" / "recipes" / "demo-board"
FIDUCIAL_SIDE_PX = 44
HOLE_SIDE_PX = 36


def pictures(part: Reference) -> dict[str, npt.NDArray[np.uint8]]:
    """The recipe's pictures, by file name: grey uint8."""
    return {
        "board.png": part.picture,
        "fiducial.png": cut(part.picture, part.fiducials[0], FIDUCIAL_SIDE_PX),
        "hole.png": cut(part.picture, part.holes[0], HOLE_SIDE_PX),
    }


def cut(picture: npt.NDArray[np.uint8], centre: tuple[float, float], side: int) -> npt.NDArray[np.uint8]:
    """The square of `side` pixels around `centre` (x, y)."""
    left, top = round(centre[0] - side / 2), round(centre[1] - side / 2)
    return picture[top : top + side, left : left + side]


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures(reference("A")).items():
        cv2.imwrite(str(FOLDER / name), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
