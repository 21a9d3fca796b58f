"""Scores images: .venv/bin/python scripts/evaluate.py --source=runs/digits (see --help)."""

from tfgan_stab.cli.main import evaluate

if __name__ == "__main__":
    evaluate()
