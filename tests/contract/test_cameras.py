"""The simulated camera and the folder keep the contract of cameras."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from partsight.cameras.folder import FolderCamera
from partsight.cameras.simulated import SimulatedCamera
from partsight.domain.ports import Camera
from partsight.registry import camera_driver
from partsight.testing.camera_contract import CameraContract


class TestSimulatedPaced(CameraContract):
    def camera(self) -> Camera:
        return SimulatedCamera(SimulatedCamera.Settings(rate_hz=50))

    def absent_camera(self) -> Camera:
        unplugged = {"kind": "disconnect", "seconds": 60}
        camera = SimulatedCamera(SimulatedCamera.Settings(rate_hz=50, misbehaviour=[unplugged]))
        camera.open(1.0)
        with pytest.raises(Exception, match="unplugged"):
            camera.grab(0.5)
        return camera


class TestSimulatedUnpacedMono(CameraContract):
    def camera(self) -> Camera:
        return SimulatedCamera(SimulatedCamera.Settings(rate_hz=0, format="Mono8", width=320, height=240))


class TestFolder(CameraContract):
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        rng = np.random.default_rng(0)
        for number in range(12):
            cv2.imwrite(str(tmp_path / f"{number}.png"), rng.integers(0, 255, (48, 64, 3), np.uint8))

    def camera(self) -> Camera:
        return FolderCamera(FolderCamera.Settings(path=self.folder, loop=True))

    def finite_camera(self) -> Camera:
        return FolderCamera(FolderCamera.Settings(path=self.folder))

    def absent_camera(self) -> Camera:
        return FolderCamera(FolderCamera.Settings(path=self.folder / "absent"))


@pytest.mark.parametrize("name", ["simulated", "folder", "opencv"])
def test_the_registry_finds_each_driver_with_its_settings(name: str) -> None:
    driver = camera_driver(name)
    assert driver.Settings.model_config["frozen"]
    assert driver.Settings.model_config["extra"] == "forbid"
