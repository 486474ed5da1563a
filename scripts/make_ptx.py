"""Makes letterbox.ptx from letterbox.cu, by NVRTC 12.2: no GPU, no toolkit. Run it after each change of the kernel.

    .venv/bin/python scripts/make_ptx.py            writes the file
    .venv/bin/python scripts/make_ptx.py --check    exit status 1 where the file is not what the source makes

12.2 because its PTX 8.2 is the newest that the oldest supported driver (JetPack 6.1: CUDA 12.6) is sure to take, with
room for older desktop drivers. NVRTC comes from the package nvidia-cuda-nvrtc-cu12, which `make test` installs.
"""

from __future__ import annotations

import ctypes
import sys
from importlib import metadata
from pathlib import Path

KERNELS = Path(__file__).parents[1] / "inspect/partsight/detectors/tensorrt/kernels"
PACKAGE, VERSION = "nvidia-cuda-nvrtc-cu12", "12.2.140"
OPTIONS = (b"--gpu-architecture=compute_75", b"-std=c++17", b"--fmad=false")


def nvrtc() -> ctypes.CDLL:
    """NVIDIA's run-time compiler, of VERSION. Raises SystemExit."""
    try:
        found = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise SystemExit(f"{PACKAGE} is not installed: run `scripts/setup.sh test`") from None
    if found != VERSION:
        raise SystemExit(f"{PACKAGE} is {found}; PTX is made with {VERSION}: pip install {PACKAGE}=={VERSION}")
    library = next(file for file in metadata.files(PACKAGE) or () if file.name == "libnvrtc.so.12")
    return ctypes.CDLL(str(library.locate()))


def compiled(source: str) -> str:
    """PTX of CUDA C. Raises SystemExit with the compiler's words."""
    library, program = nvrtc(), ctypes.c_void_p()
    ended = library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"letterbox.cu", 0, None, None)
    ended = ended or library.nvrtcCompileProgram(program, len(OPTIONS), (ctypes.c_char_p * len(OPTIONS))(*OPTIONS))
    if ended:
        raise SystemExit(f"NVRTC error {ended}\n{_text(library, program, 'ProgramLog')}")
    # NVRTC puts constants of its own <nv/target> into every program; nothing here uses them.
    lines = _text(library, program, "PTX").splitlines(keepends=True)
    return "".join(line for line in lines if not (line.startswith(".global") and "2nv6target" in line))


def _text(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> str:
    size = ctypes.c_size_t()
    getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(library, f"nvrtcGet{what}")(program, buffer)
    return buffer.value.decode()


def main(arguments: list[str]) -> int:
    made = compiled((KERNELS / "letterbox.cu").read_text())
    target = KERNELS / "letterbox.ptx"
    if "--check" in arguments:
        same = target.is_file() and target.read_text() == made
        if not same:
            sys.stderr.write(f"{target.name} is not made from letterbox.cu: run scripts/make_ptx.py\n")
        return not same
    target.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
