"""Draws samples: .venv/bin/python scripts/sample.py --source=... --output=... (see --help)."""

from tfgan_stab.cli.main import sample

if __name__ == "__main__":
    sample()
