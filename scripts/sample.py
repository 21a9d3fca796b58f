"""Draws samples: .venv/bin/python scripts/sample.py --source=... --output=... (see --help)."""

from tfgan_stab.cli.sample import main

if __name__ == "__main__":
    main()
