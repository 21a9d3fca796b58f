#!/usr/bin/env bash
# Sets everything up in .venv, then checks format, style and types and runs the tests.
# Usage: bash scripts/test.sh [full|fast|checks|lowest|all] [arguments for pytest]
#   full    all but the tests marked exhaustive (the default; at most 10 minutes on 2 cores)
#   fast    without the tests marked slow (at most 2 minutes)
#   checks  format, style and types, without tests
#   lowest  the fast tests with the oldest supported packages, in .venv-lowest
#   all     every test, then lowest
source "$(dirname -- "${BASH_SOURCE[0]}")/setup_venv.sh"

# One process per core, each with whole files of tests: what a file builds once is built once.
on_all_cores=(--numprocesses=logical --dist=loadfile --no-loadscope-reorder)

bin="$root/.venv/bin"

run_checks() {
  set_up_venv "$root/.venv" "[tests]" 13
  step "format (to mend: .venv/bin/ruff format)"
  "$bin/ruff" format --check .
  step "style (to mend most: .venv/bin/ruff check --fix)"
  "$bin/ruff" check .
  step "types"
  "$bin/mypy"
}

run_tests() {
  run_checks
  step "tests"
  "$bin/python" -m pytest "${on_all_cores[@]}" "$@"
}

run_lowest() {
  # TensorFlow 2.18, the oldest supported, has no packages for Python 3.13.
  set_up_venv "$root/.venv-lowest" "[tests]" 12 "$root/tests/constraints/lowest.txt"
  step "tests with the oldest supported packages"
  "$root/.venv-lowest/bin/python" -m pytest "${on_all_cores[@]}" -m "not slow and not exhaustive" "$@"
}

cd "$root"
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}"
case "${1:-full}" in
  full) run_tests -m "not exhaustive" "${@:2}" ;;
  fast) run_tests -m "not slow and not exhaustive" "${@:2}" ;;
  checks) run_checks ;;
  lowest) run_lowest "${@:2}" ;;
  all)
    run_tests "${@:2}"
    run_lowest "${@:2}"
    ;;
  -* | tests* | tfgan_stab*) run_tests "$@" ;;
  *) stop "Unknown choice '$1'. Usage: bash scripts/test.sh [full|fast|checks|lowest|all] [pytest arguments]" ;;
esac
