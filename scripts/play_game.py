"""Plays schemes on a small game: .venv/bin/python scripts/play_game.py --game=... (see --help)."""

from tfgan_stab.cli.play_game import main

if __name__ == "__main__":
    main()
