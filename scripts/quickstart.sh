#!/usr/bin/env bash
# Sets everything up in .venv, then trains a GAN on handwritten digits into runs/digits.
# Usage: bash scripts/quickstart.sh [flags for scripts/train.py, such as --gin_param='epochs = 3']
source "$(dirname -- "${BASH_SOURCE[0]}")/setup_venv.sh"

set_up_venv "$root/.venv" "" 13

step "training on handwritten digits"
"$root/.venv/bin/python" "$root/scripts/train.py" \
  --gin_file="$root/gin_configs/runs/digits.gin" --workdir="$root/runs/digits" "$@"
