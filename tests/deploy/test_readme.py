"""The pages of deploy/ cannot lie: their commands run, in order, on scratch machines; what they name is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # comes with schemathesis, without its stubs
from tests.deploy.machine import DEPLOY, ROOT, Machine

PAGES = ("README.md", "jetson/README.md", "desktop/README.md", "service/README.md")


def blocks(page: str, kind: str = "bash") -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", (DEPLOY / page).read_text(), re.M | re.S)


def commands(page: str) -> list[str]:
    """One a line, continued lines joined."""
    return [c for block in blocks(page) for c in block.replace("\\\n", " ").splitlines() if c.strip()]


def prepare(machine: Machine) -> None:
    """What a person at the machine has besides: sudo, and the programs by name once they are installed."""
    current = f"{machine.root}/opt/partsight/current"
    programs = {
        "sudo": 'while [ "$1" = -u ]; do shift 2; done; exec "$@"',
        "partsight": f'exec {current}/venv/bin/partsight "$@"',
        "partsight-deploy": f'exec {current}/deploy/install.sh "$@"',
        "journalctl": 'echo "journalctl $*" >>"$W/log"',
    }
    for name, body in programs.items():
        program = machine.folder / "bin" / name
        program.write_text(f"#!/bin/sh\nW='{machine.world}'\n{body}\n")
        program.chmod(0o755)
    stub = machine.world / "venv-partsight"
    init = 'init) mkdir -p "${2%/*}"; echo "schema = 1" >"$2" ;;\n'
    stub.write_text(stub.read_text().replace("case $1 in\n", "case $1 in\n" + init))


def follow(machine: Machine, page: str) -> list[str]:
    """Run the page; the version in use after each command."""
    seen: list[str] = []
    for command in commands(page):
        version = "2.0.0" if seen and "Update" in section_of(page, command, len(seen)) else "1.0.0"
        here = re.sub(r"(?<=[ =\"])/(etc|opt|var)/", rf"{machine.root}/\1/", " " + command).strip()
        done = machine.run("bash", "-c", f"cd {machine.release(version)} && {here}")
        assert done.code == 0, f"{page}: {command}\n{done.output}"
        seen.append(machine.current())
    return seen


def section_of(page: str, command: str, number: int) -> str:
    """The heading above the `number`-th command."""
    count, heading, inside = 0, "", False
    for line in (DEPLOY / page).read_text().replace("\\\n", " ").splitlines():
        if line.startswith("## ") and not inside:
            heading = line
        elif line.startswith("```"):
            inside = line == "```bash" if not inside else False
        elif inside and line.strip():
            if count == number:
                assert line == command
                return heading
            count += 1
    raise AssertionError(number)


def test_a_reader_of_the_jetson_page_installs_verifies_updates_and_goes_back(orin: Machine) -> None:
    prepare(orin)
    orin.write_records()
    seen = follow(orin, "jetson/README.md")
    assert seen[:2] == ["", "1.0.0"], "the dry run changes nothing, the next one installs"
    forth_and_back = [version for number, version in enumerate(seen) if number == 0 or seen[number - 1] != version]
    # Installed, updated, gone back, gone forward again (the second way back is from there), removed.
    assert forth_and_back == ["", "1.0.0", "2.0.0", "1.0.0", "2.0.0", ""]
    calls = "\n".join(orin.calls())
    for told in (
        "systemctl start partsight-engine@2.0.0",
        "partsight restore ",
        "partsight selftest --gpu",
        "systemctl restart partsight-power.service",
    ):
        assert told in calls
    assert (orin.root / "etc/partsight/station.toml").exists()


@pytest.mark.parametrize(("page", "driver"), [("desktop/README.md", "570"), ("service/README.md", "")])
def test_a_reader_of_the_other_pages_installs(orin: Machine, page: str, driver: str) -> None:
    prepare(orin)
    (orin.root / "etc/nv_tegra_release").unlink()
    orin.set("packages", "")
    orin.set("python", "3.12")
    if driver:
        (orin.root / "proc/driver/nvidia/version").write_text(f"NVRM version: Kernel Module  {driver}.1  x\n")
    assert follow(orin, page)[-1] == "1.0.0"
    assert "partsight.service" in (orin.world / "active").read_text()


def called() -> set[tuple[str, str]]:
    """Each `partsight COMMAND` of the pages, with each option that it is given."""
    found = set()
    for page in PAGES:
        for command in commands(page):
            match = re.match(r"(?:sudo )?(?:-u partsight )?partsight (\w+)(.*)", command)
            if match:
                found |= {(match[1], option) for option in re.findall(r" (--[\w-]+)", match[2]) or [""]}
    return found


@pytest.mark.parametrize("command", sorted({command for command, _ in called()}))
def test_commands_of_the_pages_are_the_products(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "partsight", command, "--help"],
        env={"PYTHONPATH": str(ROOT / "inspect"), "COLUMNS": "200", "PATH": "/usr/bin:/bin", "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, option in called():
        assert name != command or option in done.stdout, f"{command} {option}"


def test_units_call_what_there_is() -> None:
    units = "\n".join(f.read_text() for f in (DEPLOY / "systemd").glob("*.service"))
    assert "partsight run /etc/partsight/station.toml" in units
    assert "partsight build --station /etc/partsight/station.toml" in units
    build = (ROOT / "inspect/partsight/cli/build.py").read_text()
    assert re.search(r"^    station: Annotated\[Path \| None, typer.Option", build, re.M)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (DEPLOY / page).read_text()):
        assert ((DEPLOY / page).parent / target).exists(), target


@pytest.mark.parametrize(
    "option", sorted({o for page in PAGES for o in re.findall(r"`(--[a-z][a-z-]+)", (DEPLOY / page).read_text())})
)
def test_options_of_the_pages_are_the_installers(option: str) -> None:
    assert re.search(rf"^    .*{option}\b.*\)", (DEPLOY / "install.sh").read_text(), re.M), option


def test_containers_run_what_the_pages_say() -> None:
    """No Docker engine is here to build them: their files are read, and what they copy is there."""
    compose = yaml.safe_load((DEPLOY / "jetson/compose.yaml").read_text())
    station = compose["services"]["station"]
    assert station["runtime"] == "nvidia"
    assert station["restart"] == "always"
    assert station["read_only"] is True
    assert station["cap_drop"] == ["ALL"]
    assert "privileged" not in station
    assert compose["services"]["broker"]["image"].startswith("eclipse-mosquitto:2")
    named = set(compose["volumes"])
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in named or source.startswith("/") or (DEPLOY / "jetson" / source).exists(), volume
    for jetpack in (6, 7):
        text = (DEPLOY / f"jetson/Dockerfile.jp{jetpack}").read_text().replace("\\\n", " ")
        for sources in re.findall(r"^COPY (.*) \S+$", text, re.M):
            for source in sources.split():
                assert (ROOT / source).exists(), source
        assert f"requirements/jetson-jp{jetpack}.txt" in text
        # Whatever comes after is not root's; an engine is never built in an image.
        assert text.index("\nUSER partsight") > text.rindex("\nRUN ")
        assert "partsight build" not in re.sub(r"^#.*", "", text, flags=re.M)
        assert re.search(r"^ARG BASE=nvcr\.io/nvidia/\S+:\S+$", text, re.M)
        assert ":latest" not in text


def test_usb_rule_matches_the_standard_class() -> None:
    """The rule's two patterns against interface lists as usb_id writes them, by udev's own globbing."""
    rules = (DEPLOY / "camera/70-partsight-cameras.rules").read_text()
    patterns = re.findall(r'ENV\{ID_USB_INTERFACES\}=="([^"]+)"', rules)
    labels = set(re.findall(r'GOTO="(\w+)"', rules))
    assert labels == set(re.findall(r'LABEL="(\w+)"', rules))
    matching = {":ef0500:ef0501:ef0502:": True, ":0e0100:0e0200:": True, ":080650:": False, ":030101:": False}
    for interfaces, wanted in matching.items():
        assert any(Path(interfaces).match(pattern) for pattern in patterns) is wanted, interfaces
