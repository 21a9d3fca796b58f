"""Trains a GAN: .venv/bin/python scripts/train.py --gin_file=... --workdir=... (see --help)."""

from tfgan_stab.cli.train import main

if __name__ == "__main__":
    main()
