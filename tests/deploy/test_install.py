"""The installer on scratch machines: what it refuses, that it can be run again, and that a line never stays without a
version that works. The last tests check that no line of it goes unrun here."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.deploy.machine import DEPLOY, JP72, Machine
from tests.deploy.script_lines import SAID, SCRIPTS, commands

MakeMachine = Callable[..., Machine]


def l4t(release: int, revision: str) -> str:
    return f"# R{release} (release), REVISION: {revision}, GCID: 1, BOARD: generic, EABI: aarch64, DATE: x"


# --- which machines ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "jetpack", "python"),
    [
        (l4t(36, "4.0"), 6, "3.10"),
        (l4t(36, "5.0"), 6, "3.10"),
        (JP72, 7, "3.12"),
    ],
)
def test_jetpack_that_fits(make_machine: MakeMachine, release: str, jetpack: int, python: str) -> None:
    machine = make_machine(release)
    machine.set("python", python)
    done = machine.install(script="deploy/jetson/install.sh")
    assert done.code == 0, done.output
    assert f"jetson, JetPack {jetpack} (L4T" in done.output
    calls = "\n".join(machine.calls())
    assert f"--no-deps --only-binary :all: -r {machine.release()}/requirements/jetson-jp{jetpack}.txt" in calls
    assert "-m venv --system-site-packages " in calls
    assert ("libopencv-python" if jetpack == 6 else "python3-opencv") in calls
    assert machine.current() == "1.0.0"


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (l4t(36, "3.0"), "JetPack 6.0 (L4T 36.3.0) has TensorRT 8.6, and partsight needs 10.3: put JetPack 6.2"),
        (l4t(36, "2"), "JetPack 6.0 (L4T 36.2)"),
        (
            l4t(38, "2.0"),
            "JetPack 7.0 and 7.1 (L4T 38.2.0) are for Thor only, and their TensorRT 10.13 has no code for",
        ),
        (l4t(38, "4.0"), "put JetPack 7.2 on NVIDIA Jetson Orin Nano Developer Kit"),
        (l4t(39, "1.0"), "L4T 39.1.0 is a preview of JetPack 7.2"),
        (l4t(35, "4.1"), "L4T 35.4.1 is not supported"),
        (l4t(32, "7.3"), "L4T 32.7.3 is not supported"),
        (l4t(40, "0.0"), "L4T 40.0.0 is not known to this version of partsight"),
    ],
)
def test_jetpack_that_is_refused_changes_nothing(make_machine: MakeMachine, release: str, said: str) -> None:
    machine = make_machine(release)
    before = machine.tree()
    done = machine.install()
    assert done.code == 1
    assert said in done.output
    assert machine.tree() == before
    assert machine.calls() == []


def test_release_file_is_gone_and_the_package_says_which(orin: Machine) -> None:
    (orin.root / "etc/nv_tegra_release").unlink()
    assert "L4T 36.4.3" in orin.install("--dry-run").output
    orin.set("packages", "nvidia-l4t-core 36.3.0-20240506102626")
    assert "JetPack 6.0 (L4T 36.3.0)" in orin.install().output


def test_a_board_without_a_name(make_machine: MakeMachine) -> None:
    machine = make_machine(l4t(36, "3.0"))
    (machine.root / "proc/device-tree/model").unlink()
    assert "or 7.2 on this board" in machine.install().output


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("8.6.2.3-1+cuda12.2", "TensorRT 8.6.2.3-1+cuda12.2 is installed, and partsight needs 10.3 to 11"),
        ("10.2.0.19-1+cuda12.5", "partsight needs 10.3 to 11"),
        ("12.0.0.1-1+cuda13.0", "partsight needs 10.3 to 11"),
    ],
)
def test_another_tensorrt_than_jetpacks(orin: Machine, version: str, said: str) -> None:
    orin.set("packages", f"python3-libnvinfer {version}")
    assert said in orin.install().output
    # Also where apt brings it only now.
    orin.set("packages", "")
    orin.set("available", f"python3-libnvinfer {version}")
    done = orin.install()
    assert (done.code, said in done.output) == (1, True), done.output
    assert orin.current() == ""


def test_tensorrt_10_13_on_an_orin_with_jetpack_7(make_machine: MakeMachine) -> None:
    machine = make_machine(JP72)
    machine.set("python", "3.12")
    machine.set("packages", "python3-libnvinfer 10.13.3.9-1+cuda13.0")
    assert "TensorRT 10.13 has no code for Orin's GPU: install JetPack 7.2's own, 10.16" in machine.install().output
    (machine.root / "proc/device-tree/model").write_text("NVIDIA Jetson AGX Thor Developer Kit")
    assert machine.install().code == 0


def no_jetson(machine: Machine, driver: str = "") -> Machine:
    (machine.root / "etc/nv_tegra_release").unlink()
    machine.set("packages", "libglib2.0-0t64 2.80\nlibgl1 1.7")
    if driver:
        text = f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {driver}.86.10  Thu\nGCC version: 13\n"
        (machine.root / "proc/driver/nvidia/version").write_text(text)
    return machine


def test_a_desktop_with_an_nvidia_card(orin: Machine) -> None:
    machine = no_jetson(orin, driver="570")
    machine.set("python", "3.12")
    done = machine.install()
    assert done.code == 0, done.output
    assert "partsight: desktop, Python 3.12" in done.output
    calls = "\n".join(machine.calls())
    assert "requirements/screen.txt" in calls
    assert "deploy/desktop/tensorrt.txt" in calls
    assert "--system-site-packages" not in calls
    assert not (machine.root / "etc/systemd/system/partsight-power.service").exists()


def test_a_desktop_where_nvidias_index_is_not_reached(orin: Machine) -> None:
    machine = no_jetson(orin, driver="570")
    machine.set("pip-fails", "tensorrt.txt")
    assert "NVIDIA's package index must be reachable" in machine.install().output
    assert machine.current() == ""


def test_a_desktop_without_a_driver_or_with_an_old_one(orin: Machine) -> None:
    machine = no_jetson(orin)
    assert "no NVIDIA driver is loaded" in machine.install(script="deploy/desktop/install.sh").output
    text = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  525.85.12  Sat\n"
    (machine.root / "proc/driver/nvidia/version").write_text(text)
    assert "the NVIDIA driver is 525, and 535 or later is needed" in machine.install().output


def test_a_processor_only_machine_needs_no_gpu_and_builds_no_engine(orin: Machine) -> None:
    machine = no_jetson(orin)
    machine.write_station()
    machine.set("python", "3.11")
    done = machine.install(script="deploy/service/install.sh")
    assert done.code == 0, done.output
    calls = "\n".join(machine.calls())
    assert "requirements/runtime.txt" in calls
    assert "pycuda" not in calls
    assert "partsight-engine@" not in calls
    assert machine.install("--with-screen").code == 0
    assert "requirements/screen.txt" in "\n".join(machine.calls())


def test_a_jetson_installer_elsewhere_says_where_to_go(orin: Machine) -> None:
    machine = no_jetson(orin)
    assert "this is no Jetson" in machine.install(script="deploy/jetson/install.sh").output
    assert "there is no profile mainframe" in machine.install("--profile", "mainframe").output


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("uid", "1000", "so it must be root: sudo"),
        ("python", "3.11", "JetPack 6's own Python is needed (TensorRT is built for it)"),
        ("python", "", "python3 does not run: sudo apt-get install python3"),
        ("free-kb", "2000000", "1953 MB are free on the disk of /opt, and 3000 are needed"),
    ],
)
def test_what_is_not_there_is_said_before_anything_changes(orin: Machine, name: str, text: str, said: str) -> None:
    (orin.world / name).write_text(text)
    before = orin.tree()
    done = orin.install()
    assert (done.code, said in done.output) == (1, True), done.output
    assert orin.tree() == before


def test_a_python_that_is_too_old_for_a_service(orin: Machine) -> None:
    machine = no_jetson(orin)
    machine.set("python", "3.9")
    assert "Python 3.10 to 3.14 is needed" in machine.install().output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--everything",), "--everything is not known"),
        (("--profile",), "--profile needs a value"),
        (("--purge",), "--purge goes with --uninstall"),
        (("--restore-records",), "--restore-records goes with --rollback"),
        (("--camera-nic", "eth9"), "there is no network interface eth9"),
        (("--power-mode", "TURBO"), "TURBO is none of this board's power modes: 15W 25W MAXN_SUPER"),
        (("--profile", "service", "--power-mode", "15W"), "--power-mode is for a Jetson"),
        (("--wheels", "/there/is/none"), "there is no folder /there/is/none"),
        (("--rollback",), "there is no version before this one"),
    ],
)
def test_a_call_that_makes_no_sense(orin: Machine, arguments: tuple[str, ...], said: str) -> None:
    done = orin.install(*arguments)
    assert (done.code, said in done.output) == (1, True), done.output
    assert orin.current() == ""


def test_help_names_every_option(orin: Machine) -> None:
    done = orin.install("--help")
    assert done.code == 0
    source = (orin.release() / "deploy/install.sh").read_text()
    for option in re.findall(r"^    (--[a-z-]+)\)", source, re.M):
        assert option in done.output or option == "--settle", option


def test_a_root_without_opt_and_a_source_without_version(orin: Machine) -> None:
    release = orin.release()
    (release / "inspect/partsight/__init__.py").write_text("")
    assert "is no release of partsight" in orin.install().output
    (orin.root / "opt").rmdir()
    assert "there is no" in orin.install().output


def test_two_installers_at_once(orin: Machine) -> None:
    with subprocess.Popen(["flock", orin.root / "opt", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(b"held\n")
        other.stdin.flush()
        assert other.stdout.readline() == b"held\n"
        assert "another installer is at work" in orin.install().output
        other.stdin.close()
        other.wait()
    assert orin.install().code == 0


# --- again, and dry ---------------------------------------------------------------------------------


def test_second_run_changes_nothing(line: Machine) -> None:
    before = line.tree()
    done = line.install()
    assert done.code == 0, done.output
    assert "runs already" in done.output
    assert line.tree() == before
    changing = [
        c for c in line.calls() if not re.match(r"systemctl is-|partsight check|systemctl start partsight-eng", c)
    ]
    assert changing == []


@pytest.mark.parametrize("arguments", [(), ("--with-screen", "--camera-nic", "eth1", "--power-mode", "15W")])
def test_dry_run_changes_nothing_and_says_what_it_would_do(orin: Machine, arguments: tuple[str, ...]) -> None:
    orin.set("uid", "1000")
    orin.write_station()
    before = orin.tree()
    done = orin.install("--dry-run", *arguments)
    assert done.code == 0, done.output
    assert orin.tree() == before
    assert [c for c in orin.calls() if not c.startswith("systemctl ") or "is-enabled" not in c] == []
    for told in ("-m venv", "useradd", "/etc/systemd/system/partsight.service", "restart partsight.service"):
        assert told in done.output


def test_dry_run_of_update_rollback_and_uninstall(line: Machine) -> None:
    before = line.tree()
    for arguments, version in ((("--dry-run",), "2.0.0"), (("--uninstall", "--purge", "--dry-run"), "1.0.0")):
        done = line.install(*arguments, version=version)
        assert done.code == 0, done.output
        assert "would run" in done.output
        assert line.tree() == before
    assert line.install(version="2.0.0").code == 0
    before = line.tree()
    assert "would run: ln -sfn versions/1.0.0" in line.install("--rollback", "--dry-run").output
    assert line.tree() == before


@pytest.mark.parametrize("fails", ["jetson-jp6.txt ", "release-1.0.0 ", "venv"])
def test_an_installation_that_was_cut_off_is_begun_anew(orin: Machine, fails: str) -> None:
    if fails == "venv":
        orin.set("venv-fails")
    else:
        orin.set("pip-fails", fails)
    assert orin.install().code == 1
    assert orin.current() == ""
    left = orin.root / "opt/partsight/versions" / orin.id_of("1.0.0")
    (left / "half").write_text("")
    orin.unset("venv-fails" if fails == "venv" else "pip-fails")
    assert orin.install().code == 0
    assert not (left / "half").exists()
    assert orin.current() == "1.0.0"


def test_killed_between_the_files_and_their_use(orin: Machine) -> None:
    """The next run tells systemd, although no file changes any more."""
    assert orin.install().code == 0
    (orin.root / "opt/partsight/applied").unlink()
    orin.calls()
    assert orin.install().code == 0
    assert "systemctl daemon-reload" in orin.calls()


def test_apt_that_fails(orin: Machine) -> None:
    orin.set("apt-fails")
    assert orin.install().code != 0
    (orin.folder / "wheels").mkdir()
    assert (
        "install python3-venv python3-dev g++ libopencv-python first"
        in orin.install("--wheels", str(orin.folder / "wheels")).output
    )
    assert orin.current() == ""


def test_apt_that_cannot_install(orin: Machine) -> None:
    stub = orin.folder / "bin/apt-get"
    stub.write_text('#!/bin/sh\ncase " $* " in *" install "*) exit 100 ;; esac\n')
    assert "apt-get could not install python3-venv" in orin.install().output


def test_without_a_network(orin: Machine) -> None:
    wheels = orin.folder / "wheels"
    wheels.mkdir()
    assert "holds no partsight-1.0.0-*.whl" in orin.install("--wheels", str(wheels)).output
    (wheels / "partsight-1.0.0-py3-none-any.whl").write_text("")
    assert orin.install("--wheels", str(wheels)).code == 0
    calls = [c for c in orin.calls() if c.startswith("pip")]
    assert all(f"--no-index --find-links {wheels}" in c for c in calls)
    assert any(c.endswith("partsight-1.0.0-py3-none-any.whl") for c in calls)


def test_pycuda_that_cannot_be_built_leaves_the_other_one(orin: Machine) -> None:
    orin.set("pip-fails", "pycuda==")
    done = orin.install()
    assert done.code == 0
    assert "pycuda==2026.1 could not be built here: cuda-bindings serves" in done.output
    (orin.root / "usr/local/cuda/bin/nvcc").unlink()
    assert "pycuda is not built, cuda-bindings serves" in orin.install(version="2.0.0").output


def test_a_pip_package_that_hides_jetpacks_is_refused(orin: Machine) -> None:
    orin.set("shadow", "numpy: 2.2.6 hides JetPack's")
    done = orin.install()
    assert (done.code, "numpy: 2.2.6 hides JetPack's" in done.output) == (1, True)
    assert "remove them as it says" in done.output
    assert orin.current() == ""
    orin.unset("shadow")
    assert orin.install().code == 0
    # It may come later: each run looks again.
    orin.set("shadow", "cv2")
    assert orin.install().code == 1


def test_an_opencv_built_by_hand_is_used(orin: Machine) -> None:
    orin.set("cv2")
    assert orin.install().code == 0
    assert not any("libopencv-python" in c for c in orin.calls())


# --- what belongs to the machine --------------------------------------------------------------------


def test_screen_cameras_and_power_mode_are_kept_by_updates(orin: Machine) -> None:
    done = orin.install("--with-screen", "--camera-nic", "eth1", "--power-mode", "MAXN_SUPER", "--max-clocks")
    assert done.code == 0, done.output
    calls = orin.calls()
    assert "systemctl --global enable --quiet partsight-gui.service" in calls
    assert "systemctl start partsight-camera-nic@eth1.service" in calls
    assert (orin.root / "etc/partsight/power-mode").read_text() == "MAXN_SUPER\nclocks\n"
    assert orin.install(version="2.0.0").code == 0
    assert (orin.root / "etc/systemd/user/partsight-gui.service").exists()
    assert (orin.root / "etc/partsight/power-mode").exists()
    assert not any("--global" in c and "enable" in c and "is-enabled" not in c for c in orin.calls())


def test_the_installed_copy_changes_settings_of_its_own_version(line: Machine) -> None:
    installed = str(line.root / "opt/partsight/current/deploy/install.sh")
    done = line.run(installed, "--with-screen", "--power-mode", "25W")
    assert done.code == 0, done.output
    assert "systemctl --global enable --quiet partsight-gui.service" in line.calls()
    assert line.current() == "1.0.0"


def test_a_service_without_screen_gets_it_from_the_release_only(orin: Machine) -> None:
    machine = no_jetson(orin)
    assert machine.install().code == 0
    installed = str(machine.root / "opt/partsight/current/deploy/install.sh")
    assert "run the installer of the release with --with-screen" in machine.run(installed, "--with-screen").output
    machine.set("pyside")
    assert machine.run(installed, "--with-screen").code == 0


def test_tuning_that_fails_does_not_stop_the_installation(orin: Machine) -> None:
    orin.set("fails", "partsight-power.service\npartsight-camera-nic@eth1.service\nsysctl")
    done = orin.install("--camera-nic", "eth1", "--power-mode", "15W")
    assert done.code == 0, done.output
    assert "the power mode could not be set now" in done.output
    assert "eth1 could not be tuned fully" in done.output
    assert "the kernel does not take all of 60-partsight-cameras.conf" in done.output
    assert (orin.root / "etc/partsight/power-mode").read_text() == "15W\n"


def test_only_the_nodes_of_this_machine_are_opened_to_the_daemon(line: Machine) -> None:
    text = (line.root / "etc/systemd/system/partsight.service.d/10-devices.conf").read_text()
    assert re.findall(r"DeviceAllow=(\S+) rw", text) == [
        "/dev/dri/renderD128",
        "/dev/nvgpu/igpu0/ctrl",
        "/dev/nvhost-ctrl-gpu",
        "/dev/nvmap",
    ]
    for node in ("dri/renderD128", "nvgpu/igpu0/ctrl", "nvhost-ctrl-gpu", "nvmap"):
        (line.root / "dev" / node).unlink()
    assert line.install(version="2.0.0").code == 0


def test_a_data_folder_on_another_disk_may_be_written(line: Machine) -> None:
    line.set("data", "/mnt/nvme/cell-7")
    assert line.install(version="2.0.0").code == 0
    text = (line.root / "etc/systemd/system/partsight.service.d/20-data.conf").read_text()
    assert "ReadWritePaths=/mnt/nvme/cell-7" in text
    assert "RequiresMountsFor=/mnt/nvme/cell-7" in text


# --- update, the way back ---------------------------------------------------------------------------


def test_update_keeps_the_version_before_and_removes_older_ones(line: Machine) -> None:
    for version in ("2.0.0", "3.0.0"):
        done = line.install(version=version)
        assert done.code == 0, done.output
    assert line.current() == "3.0.0"
    kept = sorted(f.name.partition("-")[0] for f in (line.root / "opt/partsight/versions").iterdir())
    assert kept == ["2.0.0", "3.0.0"]
    assert not (line.root / "opt/partsight/probation").exists()


def test_engine_and_backup_come_before_the_switch(line: Machine) -> None:
    assert line.install(version="2.0.0").code == 0
    calls = line.calls()
    steps = [next(i for i, c in enumerate(calls) if re.match(pattern, c)) for pattern in (
        "partsight check", "partsight doctor", "systemctl start partsight-engine@2.0.0", "partsight backup",
        "systemctl restart partsight.service",
    )]  # fmt: skip
    assert steps == sorted(steps)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("fails", "check", "does not take this station's configuration"),
        ("fails", "doctor", "cannot run here"),
        ("fails", "backup", "no backup could be made"),
        ("engine-fails", "", "the engine could not be built"),
    ],
)
def test_what_is_found_before_the_switch_leaves_the_line_alone(line: Machine, name: str, text: str, said: str) -> None:
    line.set(name, text)
    done = line.install(version="2.0.0")
    assert (done.code, said in done.output) == (1, True), done.output
    assert "nothing was switched" in done.output
    assert line.current() == "1.0.0"
    assert not any("restart partsight.service" in c for c in line.calls())


@pytest.mark.parametrize("how", ["broken", "dies", "loops", "unready", "fails"])
def test_a_version_that_does_not_come_up_is_taken_back(line: Machine, how: str) -> None:
    """Not started, dead after a while, started again and again, judging no part, or not taking the configuration."""
    identity = re.search(r"2\.0\.0-\w{8}", line.install("--dry-run", version="2.0.0").output)
    assert identity is not None
    line.set(how, f"check-{identity[0]}" if how == "fails" else identity[0])
    if how == "fails":
        # It takes the configuration until it has been started.
        stub = line.world / "venv-partsight"
        stub.write_text(
            stub.read_text().replace("*) [", 'check) id; ! has fails "$1-$version" || ! has active x ;;\n*) [')
        )
        line.set("active", "partsight.service\nx")
        line.set("fails", "")
        line.set("dies", "none, but the version is looked at then")
        systemctl = line.folder / "bin/systemctl"
        mark = (
            f'restart) [ "$version" != {identity[0]} ] || echo check-$version >"$W/fails" ;;\nesac\ncase $command in\n'
        )
        systemctl.write_text(systemctl.read_text().replace("case $command in\n", "case $command in\n" + mark, 1))
    done = line.install(version="2.0.0")
    assert done.code == 1, done.output
    assert f"version {identity[0]} does not come up" in done.output
    assert "runs again" in done.output
    assert line.current() == "1.0.0"
    assert not (line.root / "opt/partsight/probation").exists()


def test_a_line_that_was_not_judging_before_need_not_after(line: Machine) -> None:
    """With the camera unplugged an update must be possible, and with an API that was never asked for."""
    line.set("ready", "no")
    assert line.install(version="2.0.0").code == 0
    line.set("ready", "")
    assert line.install(version="3.0.0").code == 0


def newer_version_spoils_the_records(line: Machine) -> None:
    """2.0.0 does not come up, and 1.0.0 cannot read what it has made of the records."""
    identity = re.search(r"2\.0\.0-\w{8}", line.install("--dry-run", version="2.0.0").output)
    assert identity is not None
    line.set("broken", f"{identity[0]}\n{line.id_of('1.0.0')}")


def test_records_that_the_old_version_cannot_read_are_put_back(line: Machine) -> None:
    newer_version_spoils_the_records(line)
    done = line.install(version="2.0.0")
    assert done.code == 1
    assert "the records go back to 1.0.0-" in done.output
    assert "runs again" in done.output
    assert any(
        c.startswith("partsight restore") and c.endswith("/var/lib/partsight/data --force") for c in line.calls()
    )


def test_neither_version_comes_up(line: Machine) -> None:
    newer_version_spoils_the_records(line)
    line.set("fails", "restore")
    done = line.install(version="2.0.0")
    assert done.code == 1
    assert "does not come up either" in done.output
    assert line.current() == "1.0.0"


def test_no_records_no_backup(line: Machine) -> None:
    (line.root / "var/lib/partsight/data/records.db").unlink()
    newer_version_spoils_the_records(line)
    assert "does not come up either" in line.install(version="2.0.0").output
    assert not any(c.startswith(("partsight backup", "partsight restore")) for c in line.calls())


def test_three_backups_are_kept(line: Machine) -> None:
    folder = line.root / "var/lib/partsight/backups"
    for number in range(5):
        (folder / f"0.{number}-x-20260101T00000{number}Z.tar.gz").write_text("")
        os.utime(folder / f"0.{number}-x-20260101T00000{number}Z.tar.gz", (number, number))
    assert line.install(version="2.0.0").code == 0
    assert sorted(f.name[:3] for f in folder.iterdir()) == ["0.3", "0.4", "1.0"]


def test_rollback_by_hand_and_forward_again(line: Machine) -> None:
    assert line.install(version="2.0.0").code == 0
    line.calls()
    installed = str(line.root / "opt/partsight/current/deploy/install.sh")
    done = line.run(installed, "--rollback")
    assert done.code == 0, done.output
    assert line.current() == "1.0.0"
    assert any(c.startswith("systemctl start partsight-engine@1.0.0") for c in line.calls())
    assert line.run(installed, "--rollback").code == 0
    assert line.current() == "2.0.0"


def test_rollback_with_the_records_of_then(line: Machine) -> None:
    assert line.install(version="2.0.0").code == 0
    done = line.install("--rollback", "--restore-records")
    assert done.code == 0, done.output
    assert any(c.startswith("partsight restore") for c in line.calls())
    for archive in (line.root / "var/lib/partsight/backups").iterdir():
        archive.unlink()
    (line.root / "var/lib/partsight/data/records.db").unlink()
    done = line.install("--rollback", "--restore-records")
    assert (done.code, "there is no backup of version 2.0.0" in done.output) == (1, True)
    assert line.current() == "1.0.0"


def test_power_lost_between_switch_and_proof(line: Machine) -> None:
    """At the next start of the machine partsight-settle.service goes back before the line starts."""
    assert line.install(version="2.0.0").code == 0
    old, probation = line.id_of("1.0.0"), line.root / "opt/partsight/probation"
    probation.write_text(old + "\n")
    line.calls()
    done = line.run(str(line.root / "opt/partsight/previous/deploy/install.sh"), "--settle")
    assert done.code == 0, done.output
    assert line.current() == "1.0.0"
    assert not probation.exists()
    # The machine is starting: nothing may be started or waited for.
    assert {c for c in line.calls() if "is-" not in c} <= {"systemctl daemon-reload"}
    assert line.run(str(line.root / "opt/partsight/previous/deploy/install.sh"), "--settle").code == 0


def test_an_installer_that_was_killed_is_settled_by_the_next_one(line: Machine) -> None:
    assert line.install(version="2.0.0").code == 0
    (line.root / "opt/partsight/probation").write_text(line.id_of("1.0.0") + "\n")
    done = line.install(version="2.0.0")
    assert done.code == 0, done.output
    assert "the last update was interrupted" in done.output
    assert line.current() == "2.0.0"


def test_a_terminal_that_closes_ends_nothing_and_ctrl_c_goes_back(line: Machine) -> None:
    """Signals of the terminal, to all that run in it, while the new version is on probation."""
    gate = line.folder / "gate"
    os.mkfifo(gate)
    sleep = line.folder / "bin/sleep"
    sleep.write_text(f'#!/bin/sh\necho waiting >"{gate}"; read -r x <"{gate}"\n')
    command = [str(line.release("2.0.0") / "deploy/install.sh")]
    with subprocess.Popen(
        command, env=line.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        assert gate.read_text() == "waiting\n"
        assert line.current() == "2.0.0"
        os.killpg(process.pid, signal.SIGHUP)
        gate.write_text("on\n")
        assert gate.read_text() == "waiting\n"
        sleep.write_text("#!/bin/sh\n")
        os.killpg(process.pid, signal.SIGINT)
        output = process.communicate(timeout=30)[0].decode()
    assert process.returncode != 0
    assert "runs again" in output, output
    assert line.current() == "1.0.0"


def test_a_station_that_stands_is_started(line: Machine) -> None:
    line.set("active", "")
    assert line.install().code == 0
    assert "systemctl restart partsight.service" in line.calls()
    line.set("active", "")
    line.set("broken", line.id_of("1.0.0"))
    assert "the station does not come up" in line.install().output


def test_a_first_station_that_does_not_come_up(orin: Machine) -> None:
    assert orin.install().code == 0
    orin.write_station()
    orin.set("broken", orin.id_of("1.0.0"))
    assert "the station does not come up: journalctl -u partsight" in orin.install().output


# --- gone again -------------------------------------------------------------------------------------


def test_uninstall_keeps_what_is_the_sites_own(line: Machine) -> None:
    assert line.install("--with-screen", "--camera-nic", "eth1", "--power-mode", "15W", version="2.0.0").code == 0
    done = line.install("--uninstall")
    assert done.code == 0, done.output
    left = {
        str(p.relative_to(line.root))
        for p in line.root.rglob("*")
        if not p.is_dir() and "partsight" in str(p.relative_to(line.root))
    }
    assert (
        left - {f for f in left if f.startswith("var/lib/partsight/backups/")}
        == {
            "etc/partsight/station.toml",
            "etc/partsight/power-mode",
            "var/lib/partsight/data/records.db",
            "etc/systemd/system/multi-user.target.wants/partsight-camera-nic@eth1.service",
        }
        & left
    )
    calls = line.calls()
    for unit in ("partsight.service", "partsight-power.service", "partsight-camera-nic@eth1.service"):
        assert f"systemctl disable --quiet --now {unit}" in calls
    assert line.install("--uninstall").code == 0
    assert line.install().code == 0


def test_purge_removes_configuration_records_and_user(line: Machine) -> None:
    done = line.install("--uninstall", "--purge")
    assert done.code == 0, done.output
    assert not [p for p in line.root.rglob("*") if "partsight" in str(p.relative_to(line.root))]
    assert "userdel partsight" in line.calls()


# --- the two small programs -------------------------------------------------------------------------


def power(machine: Machine, *arguments: str) -> tuple[int, str]:
    done = machine.run(str(machine.release() / "deploy/jetson/power-mode.sh"), *arguments)
    return done.code, done.output


def wish(machine: Machine, text: str) -> Path:
    file = machine.root / "etc/partsight/power-mode"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def test_power_mode_by_name_from_the_boards_own_list(orin: Machine) -> None:
    assert power(orin, "list") == (0, "15W\n25W\nMAXN_SUPER\n")
    assert "write a name into it, one of 15W 25W MAXN_SUPER" in power(orin)[1]
    wish(orin, "MAXN_SUPER\n")
    assert power(orin) == (0, "power mode: MAXN_SUPER\n")
    assert "nvpmodel -m 2" in orin.calls()
    # On already: not set again.
    assert power(orin)[0] == 0
    assert orin.calls() == ["nvpmodel -q"]
    wish(orin, "25W\nclocks\n")
    assert power(orin) == (0, "power mode: 25W, clocks at its maximum\n")
    assert "jetson_clocks " in orin.calls()[-1] + " "


def test_power_mode_that_is_not_there(orin: Machine) -> None:
    wish(orin, "MAXN\n")
    code, said = power(orin)
    assert (code, "MAXN is none of this board's modes (15W 25W MAXN_SUPER)" in said) == (1, True)
    (orin.root / "etc/nvpmodel.conf").unlink()
    assert "has no power modes" in power(orin)[1]


def test_a_power_mode_that_needs_a_restart_never_restarts_the_line(orin: Machine) -> None:
    wish(orin, "MAXN_SUPER\n")
    orin.set("needs-restart")
    code, said = power(orin)
    assert code == 1
    assert "MAXN_SUPER needs a restart of the machine: sudo nvpmodel -m 2" in said


def nic(machine: Machine, *arguments: str) -> tuple[int, str]:
    done = machine.run(str(machine.release() / "deploy/camera/camera-nic.sh"), *arguments)
    return done.code, done.output


def test_network_interface_of_cameras(orin: Machine) -> None:
    assert nic(orin, "eth1") == (0, "")
    assert orin.calls() == [
        "ip link set dev eth1 mtu 9000",
        "ethtool -g eth1",
        "ethtool -G eth1 rx 4096",
        "ethtool --set-eee eth1 eee off",
    ]
    assert (orin.root / "proc/sys/net/ipv4/conf/eth1/rp_filter").read_text() == "0\n"


def test_a_network_interface_that_can_do_none_of_it(orin: Machine) -> None:
    orin.set("fails", "ip\nethtool")
    code, said = nic(orin, "eth1")
    assert code == 1
    assert "takes no jumbo frames" in said
    assert "its receive ring cannot be changed" in said
    assert "has no EEE to switch off" in said
    assert "there is no such interface" in nic(orin, "eth9")[1]
    assert "say which interface" in nic(orin)[1]


# --- at the end: what of it the tests above never reached ---------------------------------------------


@pytest.fixture
def all_ran(traces: Path) -> None:
    ran = set((traces / "ran").read_text().split()) if (traces / "ran").exists() else set()
    wanted = {name for name in globals() if name.startswith("test_") and not name.startswith("test_every_")}
    if missing := wanted - ran:
        pytest.skip(f"known only where all tests of this file ran before: {len(missing)} did not")


def test_every_line_was_run(all_ran: None, traces: Path) -> None:
    ran: dict[str, set[int]] = {}
    for file, line in re.findall(r"^\++ @(\S+?):(\d+)@", (traces / "lines").read_text(errors="replace"), re.M):
        ran.setdefault(file.rpartition("/deploy/")[2], set()).add(int(line))
    unrun = []
    for script in SCRIPTS:
        name = str(script.relative_to(DEPLOY))
        lines = script.read_text().splitlines()
        # Of a command over several lines bash names the first or the last.
        missed = [one for one in commands(script) if not ran.get(name, set()).intersection(one)]
        unrun += [f"{name}:{one.start}: {lines[one.start - 1].strip()}" for one in missed]
    assert not unrun, "\n".join(unrun)


def test_every_message_was_said(all_ran: None, traces: Path) -> None:
    said = (traces / "said").read_text()
    unsaid = []
    for script in SCRIPTS:
        for text in SAID.findall(script.read_text()):
            # What is put in at run time may be anything.
            parts = re.split(r"\$\{[^}]*\}|\$\([^)]*\)|\$[\w*]+", text.replace("\\`", "`"))
            pattern = ".*".join(re.escape(part) for part in parts)
            if not re.search(pattern, said):
                unsaid.append(f"{script.name}: {text}")
    assert not unsaid, "\n".join(unsaid)
