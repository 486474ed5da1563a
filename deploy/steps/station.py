"""What the installer asks of a station's configuration; run by the Python of an installed version.

station.py data FILE    prints the data folder
station.py ready FILE   prints yes or no: whether the running station judges parts; nothing where it has no API
"""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from partsight.config.station import StationConfig, read_station

LIMIT_S = 3.0


def ready(config: StationConfig) -> str:
    """Asks the API's own health page at its own address."""
    api = config.api
    if api is None:
        return ""
    host, port = api.get("host", "127.0.0.1"), api.get("port", 8787)
    secure = "tls_certificate" in api
    # The certificate names the station as others reach it; this is the same machine.
    trust = ssl._create_unverified_context() if secure else None  # noqa: S323 - nothing secret is sent
    url = f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/health/ready"
    try:
        with urlopen(url, timeout=LIMIT_S, context=trust) as answer:  # noqa: S310 - http or https by construction
            return "yes" if answer.status == 200 else "no"
    except (URLError, OSError):
        return "no"


def main() -> None:
    """Answer the one question."""
    question, file = sys.argv[1], Path(sys.argv[2])
    config = read_station(file)
    sys.stdout.write(f"{config.station.data if question == 'data' else ready(config)}\n")


if __name__ == "__main__":
    main()
