#!/usr/bin/env bash
# The installer, for a machine of this kind; all options: deploy/install.sh --help
exec "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../install.sh" --profile jetson "$@"
