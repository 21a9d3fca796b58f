"""Scores images: .venv/bin/python scripts/evaluate.py --source=runs/digits (see --help)."""

from tfgan_stab.cli.evaluate import main

if __name__ == "__main__":
    main()
