"""Trains a GAN: .venv/bin/python scripts/train.py --gin_file=... --workdir=... (see --help)."""

from tfgan_stab.cli.main import train

if __name__ == "__main__":
    train()
