"""A scratch machine for the installer: a root folder, and stand-ins for the commands that would change a real one.

The stand-ins are small shell programs that keep their state in files below `world`; a test sets
a file to make one fail. Everything else (bash, coreutils, find, flock) is the real thing.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

JP62 = (
    "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025"
)
JP72 = (
    "# R39 (release), REVISION: 2.0, GCID: 41000000, BOARD: generic, EABI: aarch64, DATE: Mon Jun  1 00:00:00 UTC 2026"
)
NVPMODEL = """\
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_1 /sys/devices/system/cpu/cpu1/online
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_1 1
< POWER_MODEL ID=1 NAME=25W >
CPU_ONLINE CORE_1 1
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
CPU_ONLINE CORE_1 1
< PM_CONFIG DEFAULT=1 >
"""

# Each is run by `sh`, with $W the state's folder and $R the scratch root. `has FILE WORD`: a line of it is the word.
STUBS = {
    "dpkg-query": """\
for n; do :; done
while read -r p v; do [ "$p" != "$n" ] || { printf 'ii %s' "$v"; exit; }; done <"$W/packages"
exit 1""",
    "apt-get": """\
log apt-get "$@"
[ ! -f "$W/apt-fails" ] || exit 100
case " $* " in *" install "*)
    for a; do case $a in -*|install|DPkg*) ;; *)
        v=$(sed -n "s/^$a //p" "$W/available"); echo "$a ${v:-1.0}" >>"$W/packages" ;;
    esac; done ;;
esac""",
    "systemctl": """\
log systemctl "$@"
version=
if [ -f "$W/broken" ] || [ -f "$W/dies" ] || [ -f "$W/loops" ]; then
    version=$(readlink "$R/opt/partsight/current"); version=${version##*/}
fi
command=; global=
for a; do case $a in --global) global=global- ;; --*) ;; *) [ -n "$command" ] && unit=$a || command=$a ;; esac; done
unit=$global$unit
case $command in
is-enabled) has enabled "$unit" ;;
enable) echo "$unit" >>"$W/enabled"
    case $unit in partsight-camera-nic@*) mkdir -p "$R/etc/systemd/system/multi-user.target.wants"
        ln -s x "$R/etc/systemd/system/multi-user.target.wants/$unit" ;; esac ;;
disable) drop enabled "$unit"; drop active "$unit" ;;
is-active) has active "$unit" && ! has dies "$version" ;;
stop) drop active "$unit" ;;
start|restart)
    case $unit in
    partsight-engine@*) [ ! -f "$W/engine-fails" ] || exit 1; exit 0 ;;
    partsight-power.service|partsight-camera-nic@*) ! has fails "$unit"; exit ;;
    esac
    if [ "$unit" = partsight.service ] && has broken "$version"; then drop active "$unit"; exit 1; fi
    has active "$unit" || echo "$unit" >>"$W/active" ;;
show) n=$(cat "$W/restarts" 2>/dev/null)
    if has loops "$version"; then echo $((n + 1)) | tee "$W/restarts"; else echo 0; fi ;;
esac""",
    "python3": """\
case "$1 $2" in
"-c import cv2"*) [ -f "$W/cv2" ] ;;
"-c "*) [ -s "$W/python" ] && cat "$W/python" ;;
"-m venv") log python3 "$@"
    [ ! -f "$W/venv-fails" ] || exit 1
    for d; do :; done; mkdir -p "$d/bin"
    cp "$W/venv-python" "$d/bin/python"; cp "$W/venv-partsight" "$d/bin/partsight" ;;
esac""",
    "setpriv": 'shift 3; exec "$@"',
    "id": 'case $1 in -u) cat "$W/uid" ;; *) has users partsight && cat "$W/groups-of-partsight" ;; esac',
    "getent": 'case $1 in passwd) has users "$2" ;; *) has groups "$2" ;; esac',
    "useradd": 'log useradd "$@"; for n; do :; done; echo "$n" >>"$W/users"',
    "usermod": 'log usermod "$@"; echo "$(cat "$W/groups-of-partsight") $3" >"$W/groups-of-partsight"',
    "userdel": 'log userdel "$@"; drop users "$1"',
    "chown": 'log chown "$@"; echo "${2#"$R"} ${1%%:*} ${1##*:}" >>"$W/owners"',
    "stat": """\
[ -e "$3" ] || exit 1
o=$(sed -n "s#^${3#"$R"} ##p" "$W/owners" | tail -n 1); o=${o:-root root}
case $2 in *%U) o=${o% *} ;; *) o=${o#* } ;; esac
echo "$(/usr/bin/stat -c %a "$3") $o\"""",
    "df": 'echo header; echo "/dev/nvme0n1 1 1 $(cat "$W/free-kb") 1% /"',
    "udevadm": 'log udevadm "$@"',
    "systemd-tmpfiles": 'log systemd-tmpfiles "$@"',
    "sysctl": 'log sysctl "$@"; ! has fails sysctl',
    "sync": ":",
    "sleep": ":",
    "nvpmodel": """\
log nvpmodel "$@"
case $1 in
-q) printf 'NV Power Mode: X\\n%s\\n' "$(cat "$W/mode")" ;;
-m) read -r answer; [ -f "$W/needs-restart" ] || echo "$2" >"$W/mode" ;;
esac""",
    "jetson_clocks": 'log jetson_clocks "$@"',
    "ip": 'log ip "$@"; ! has fails ip',
    "ethtool": """\
log ethtool "$@"
! has fails ethtool || exit 1
[ "$1" != -g ] || printf 'Pre-set maximums:\\nRX:\\t\\t4096\\nTX:\\t\\t4096\\nCurrent:\\nRX:\\t\\t256\\n'""",
}

VENV_PYTHON = """\
case " $* " in
*" pip install "*) log pip "$@"
    [ ! -f "$W/pip-fails" ] || ! echo " $* " | grep -qF -f "$W/pip-fails" ;;
*"import PySide6 "*) [ -f "$W/pyside" ] ;;
*" partsight.cli.jetpack "*) if [ -f "$W/shadow" ]; then cat "$W/shadow" >&2; exit 1; fi ;;
*"station.py data "*) cat "$W/data" ;;
*"station.py ready "*) version=$(basename "$(readlink -f "${0%/venv/bin/python}")")
    if has unready "$version"; then echo no; else cat "$W/ready"; fi ;;
esac"""

VENV_PARTSIGHT = """\
id() { version=$(readlink -f "${0%/venv/bin/partsight}"); version=${version##*/}; }
log partsight "$@"
case $1 in
backup) ! has fails backup && echo archive >"$3" ;;
restore) id; ! has fails restore && drop broken "$version" ;;
*) [ ! -f "$W/fails" ] || { id; ! has fails "$1" && ! has fails "$1-$version"; } ;;
esac"""


@dataclass(frozen=True)
class Ended:
    code: int
    output: str


@dataclass(frozen=True)
class Machine:
    """folder: root/ is the machine's `/`, world/ the stand-ins' state, release-N/ what is installed from."""

    folder: Path
    traces: Path

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def world(self) -> Path:
        return self.folder / "world"

    def set(self, name: str, text: str = "") -> None:
        (self.world / name).write_text(text + "\n")

    def unset(self, name: str) -> None:
        (self.world / name).unlink()

    def calls(self) -> list[str]:
        """What the stand-ins that change something were asked, since the last call."""
        log = self.world / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return lines

    def release(self, version: str = "1.0.0") -> Path:
        """A release to install from: the real deploy/, and of the rest what the installer looks at."""
        folder = self.folder / f"release-{version}"
        if not folder.exists():
            shutil.copytree(DEPLOY, folder / "deploy")
            shutil.copytree(ROOT / "requirements", folder / "requirements")
            (folder / "pyproject.toml").write_text("[project]\n")
            for name in ("models", "configs", "inspect/partsight"):
                (folder / name).mkdir(parents=True)
            (folder / "inspect/partsight/__init__.py").write_text(f'__version__ = "{version}"\n')
        return folder

    def write_station(self) -> None:
        station = self.root / "etc/partsight/station.toml"
        station.parent.mkdir(parents=True, exist_ok=True)
        station.write_text("schema = 1\n")

    def write_records(self) -> None:
        data = self.root / "var/lib/partsight/data"
        data.mkdir(parents=True, exist_ok=True)
        (data / "records.db").write_text("records")

    def install(self, *arguments: str, version: str = "1.0.0", script: str = "deploy/install.sh") -> Ended:
        return self.run(str(self.release(version) / script), *arguments)

    def run(self, *command: str, **more: str) -> Ended:
        done = subprocess.run(
            command,
            env=self.environment() | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        with (self.traces / "said").open("a") as said:
            said.write(done.stdout)
        return Ended(done.returncode, done.stdout)

    def environment(self) -> dict[str, str]:
        """Without anything of the session that runs the tests."""
        return {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "PARTSIGHT_ROOT": str(self.root),
            "PARTSIGHT_SETTLE_S": "2",
            "PYTHON": str(self.folder / "bin/python3"),
            # Each line that bash runs is written down: the coverage of these tests.
            "BASH_ENV": str(self.traces / "trace.sh"),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
        }

    def current(self) -> str:
        """The version in use, without the hash behind it; "" where there is none."""
        link = self.root / "opt/partsight/current"
        return link.readlink().name.partition("-")[0] if link.is_symlink() else ""

    def id_of(self, version: str) -> str:
        return next(f.name for f in (self.root / "opt/partsight/versions").iterdir() if f.name.startswith(version))

    def tree(self) -> str:
        """A hash of every name, mode, time and content of the scratch root."""
        lines = []
        for path in sorted(self.root.rglob("*")):
            at = path.lstat()
            content: object = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            lines.append(f"{path} {at.st_mode} {at.st_mtime_ns if not path.is_dir() else ''} {content!r}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def make(folder: Path, traces: Path, release: str = JP62) -> Machine:
    """An Orin Nano with JetPack 6.2 where nothing else is said."""
    machine = Machine(folder, traces)
    for name in ("opt", "etc", "usr/bin", "proc/device-tree", "proc/driver/nvidia", "dev/dri", "dev/nvgpu/igpu0"):
        (machine.root / name).mkdir(parents=True)
    for name in ("sys/class/net/eth1", "proc/sys/net/ipv4/conf/eth1", "usr/local/cuda/bin"):
        (machine.root / name).mkdir(parents=True)
    (machine.root / "etc/nv_tegra_release").write_text(release + "\n")
    (machine.root / "etc/nvpmodel.conf").write_text(NVPMODEL)
    (machine.root / "proc/device-tree/model").write_bytes(b"NVIDIA Jetson Orin Nano Developer Kit\0")
    for node in ("nvmap", "nvhost-ctrl-gpu", "nvgpu/igpu0/ctrl", "dri/renderD128", "video0"):
        (machine.root / "dev" / node).write_text("")
    machine.world.mkdir()
    head = """\
R=$PARTSIGHT_ROOT; W=${R%/root}/world
log() { echo "$*" >>"$W/log"; }
has() { [ -f "$W/$1" ] && while read -r l; do [ "$l" != "$2" ] || return 0; done <"$W/$1"; return 1; }
drop() { [ ! -f "$W/$1" ] || { grep -vxF -- "$2" "$W/$1" >"$W/$1.new"; mv "$W/$1.new" "$W/$1"; }; }
"""
    (folder / "bin").mkdir()
    bodies = {folder / "bin" / name: body for name, body in STUBS.items()}
    bodies |= {machine.world / "venv-python": VENV_PYTHON, machine.world / "venv-partsight": VENV_PARTSIGHT}
    for path, body in bodies.items():
        path.write_text(f"#!/bin/sh\n{head}{body}\n")
        path.chmod(0o755)
    nvcc = machine.root / "usr/local/cuda/bin/nvcc"
    nvcc.write_text("")
    nvcc.chmod(0o755)
    machine.set("packages", "python3-libnvinfer 10.3.0.30-1+cuda12.5\nnvidia-l4t-core 36.4.3-20250107174145")
    machine.set("available", "")
    machine.set("python", "3.10")
    machine.set("uid", "0")
    machine.set("free-kb", "20000000")
    machine.set("groups", "video\nrender")
    machine.set("groups-of-partsight", "partsight")
    machine.set("users", "")
    machine.set("owners", "")
    machine.set("mode", "1")
    machine.set("ready", "yes")
    machine.set("data", "/var/lib/partsight/data")
    return machine
