# Sourced by the other scripts. Offers `step` and `set_up_venv`; sets `root` to the repository.
# shellcheck shell=bash
set -euo pipefail

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
current_step="starting"

# Announces the next step; if it fails, the last line names it.
step() {
  current_step="$1"
  printf '== %s\n' "$current_step"
}

report_failure() {
  local code=$?
  if [ "$code" -ne 0 ]; then
    printf '%s stopped (exit code %s) at: %s\n' "$(basename -- "$0")" "$code" "$current_step" >&2
  fi
}
trap report_failure EXIT

stop() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Whether $1 runs, and is Python 3.10 to 3.$2.
is_suitable_python() {
  "$1" -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $2))" 2>/dev/null
}

# Prints a Python 3.10 to 3.$1 that can make virtual environments.
find_python() {
  local candidate without_venv="" candidates="python3 python3.12 python3.11 python3.13 python3.10"
  for candidate in ${PYTHON:-$candidates}; do
    is_suitable_python "$candidate" "$1" || continue
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
    without_venv="$candidate"
  done
  if [ -n "$without_venv" ]; then
    stop "$without_venv cannot make virtual environments: its modules venv and ensurepip are" \
      "missing. On Debian or Ubuntu: apt-get install python3-venv. Or set PYTHON to another one."
  fi
  stop "No Python 3.10 to 3.$1 among: ${PYTHON:-$candidates}. Install one, or set PYTHON to its" \
    "path, as in: PYTHON=/opt/python3.12/bin/python3 bash $0"
}

# What an installation depends on; if it has changed, pip must run again.
installation_key() {
  printf '%s %s\n' "$root" "$("$1/bin/python" --version)"
  cat "$root/setup.py" "$root/pyproject.toml" ${2:+"$2"} | cksum
}

# Makes the virtual environment $1 and installs the package into it, unless that has been done.
#   $1 folder   $2 extras such as [tests], or nothing   $3 newest Python, as 13 for 3.13
#   $4 pip constraints, or nothing
set_up_venv() {
  local venv="$1" extras="$2" newest="$3" constraints="${4:-}" stamp key python
  step "Python environment in $venv"
  if [ -x "$venv/bin/python" ] && ! is_suitable_python "$venv/bin/python" "$newest"; then
    stop "$venv/bin/python is not a working Python 3.10 to 3.$newest. Remove $venv and try again."
  fi
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python="$(find_python "$newest")"
    "$python" -m venv --clear "$venv"
  fi

  step "tfgan_stab$extras in $venv"
  stamp="$venv/installed$extras"
  key="$(installation_key "$venv" "$constraints")"
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$key" ]; then
    printf 'Installing; the first time this takes some minutes.\n'
    rm -f "$venv"/installed*
    # The pip that Python 3.10 brings searches for a quarter of an hour what newer ones find at once.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
    # Without warnings: build tools have one for each editable installation.
    PYTHONWARNINGS=ignore "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
      ${constraints:+--constraint "$constraints"} --editable "$root$extras"
    printf '%s\n' "$key" | tee "$venv/installed" >"$stamp"
  fi
}
