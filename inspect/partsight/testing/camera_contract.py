"""What every camera driver must do, as tests that a driver's author runs against it.

    class TestMyCamera(CameraContract):
        def camera(self) -> Camera:
            return MyCamera(MyCamera.Settings(...))

`camera()` gives a new, unopened camera that has at least eight frames to give. Where they make sense, also
return something from `finite_camera()` and `absent_camera()`. pytest runs what is here once for each subclass.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from partsight.domain.errors import CameraError, CameraLost, CameraUnavailable, EndOfStream
from partsight.domain.frame import Grab
from partsight.domain.ports import Camera, CameraInfo


class CameraContract:
    """Subclass it with a name that starts with Test, and say how to make a camera."""

    open_timeout_s = 5.0
    first_frame_s = 5.0
    margin_s = 0.5
    """How much longer than its timeout a call may take on a busy machine."""

    def camera(self) -> Camera:
        """A new camera, not opened, with at least eight frames to give."""
        raise NotImplementedError(f"{type(self).__name__} must say how to make a camera")

    def finite_camera(self) -> Camera | None:
        """A camera that ends after a few frames, None where the driver has none."""
        return None

    def absent_camera(self) -> Camera | None:
        """A camera whose device is not there, None where that cannot be."""
        return None

    def threads(self) -> set[threading.Thread]:
        """Threads that could be the driver's; leave out what your own test set-up starts meanwhile."""
        return set(threading.enumerate())

    @contextmanager
    def opened(self, *, triggered: bool = False) -> Iterator[tuple[Camera, CameraInfo]]:
        """A camera that is open, and closed at the end."""
        camera = self.camera()
        info = camera.open(self.open_timeout_s, triggered=triggered)
        try:
            yield camera, info
        finally:
            camera.close()

    def next_grab(self, camera: Camera) -> Grab:
        """The next frame; fails where none comes."""
        until = time.monotonic() + self.first_frame_s
        while time.monotonic() < until:
            grab = camera.grab(0.2)
            if grab is not None:
                return grab
        raise AssertionError(f"no frame within {self.first_frame_s} s")

    def test_says_what_it_is(self) -> None:
        with self.opened() as (_, info):
            assert info.model
            assert info.width > 0
            assert info.height > 0
            assert info.frame_period_s is None or info.frame_period_s > 0

    def test_pixels_are_what_the_format_says(self) -> None:
        with self.opened() as (camera, info):
            grab = self.next_grab(camera)
            assert grab.error is None
            assert grab.size == (info.width, info.height)
            assert grab.format is info.format
            assert grab.pixels.dtype == grab.format.dtype
            assert grab.pixels.ndim == (3 if grab.format.channels == 3 else 2)
            assert grab.pixels.flags.c_contiguous
            assert 1 <= grab.bit_depth <= 8 * grab.pixels.dtype.itemsize

    def test_pixels_stay_as_they_were(self) -> None:
        with self.opened() as (camera, _):
            first = self.next_grab(camera)
            copy = first.pixels.copy()
            first.pixels.flags.writeable = False
            for _ in range(6):
                self.next_grab(camera)
            assert np.array_equal(first.pixels, copy)

    def test_frame_numbers_rise(self) -> None:
        with self.opened() as (camera, _):
            numbers = [self.next_grab(camera).device_id for _ in range(5)]
            known = [number for number in numbers if number is not None]
            assert len(known) in (0, 5)
            assert known == sorted(set(known))

    def test_a_grab_keeps_to_its_timeout(self) -> None:
        with self.opened() as (camera, _):
            for timeout_s in (0.0, 0.05, 0.2):
                began = time.monotonic()
                camera.grab(timeout_s)
                assert time.monotonic() - began <= timeout_s + self.margin_s

    def test_close_is_harmless(self) -> None:
        camera = self.camera()
        camera.close()
        camera.open(self.open_timeout_s)
        camera.close()
        camera.close()
        with pytest.raises(CameraLost):
            camera.grab(0.05)

    def test_opens_again_after_close(self) -> None:
        camera = self.camera()
        for _ in range(3):
            camera.open(self.open_timeout_s)
            self.next_grab(camera)
            camera.close()

    def test_opens_again_while_it_is_open(self) -> None:
        with self.opened() as (camera, _):
            camera.open(self.open_timeout_s)
            self.next_grab(camera)

    def test_each_trigger_makes_one_frame(self) -> None:
        with self.opened(triggered=True) as (camera, info):
            if not info.software_trigger:
                with pytest.raises(CameraUnavailable):
                    camera.trigger()
                return
            began = time.monotonic()
            assert camera.grab(0.05) is None
            assert 0.04 <= time.monotonic() - began <= 0.05 + self.margin_s
            for _ in range(3):
                camera.trigger()
            for _ in range(3):
                self.next_grab(camera)
            assert camera.grab(0.05) is None

    def test_a_trigger_wakes_a_waiting_grab(self) -> None:
        with self.opened(triggered=True) as (camera, info):
            if not info.software_trigger:
                pytest.skip("the driver has no software trigger")
            began = time.monotonic()
            other = threading.Timer(0.05, camera.trigger)
            other.start()
            assert camera.grab(self.first_frame_s) is not None
            assert time.monotonic() - began < self.first_frame_s
            other.join()

    def test_no_trigger_when_closed(self) -> None:
        with pytest.raises(CameraError):
            self.camera().trigger()

    def test_the_end_stays(self) -> None:
        camera = self.finite_camera()
        if camera is None:
            pytest.skip("the driver's sources do not end")
        camera.open(self.open_timeout_s)
        for _ in range(10_000):
            try:
                camera.grab(0.2)
            except EndOfStream:
                break
        else:
            raise AssertionError("no EndOfStream after 10,000 grabs")
        for _ in range(3):
            with pytest.raises(EndOfStream):
                camera.grab(0.05)
        camera.open(self.open_timeout_s)
        self.next_grab(camera)
        camera.close()

    def test_an_absent_device_is_unavailable(self) -> None:
        camera = self.absent_camera()
        if camera is None:
            pytest.skip("the driver's device cannot be absent")
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(CameraUnavailable) as caught:
                camera.open(1.0)
            assert time.monotonic() - began <= 1.0 + self.margin_s
            assert str(caught.value)
        camera.close()

    def test_owns_no_threads(self) -> None:
        before = self.threads()
        with self.opened() as (camera, _):
            self.next_grab(camera)
            assert self.threads() <= before
        assert self.threads() <= before
