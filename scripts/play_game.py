"""Plays schemes on a small game: .venv/bin/python scripts/play_game.py --game=... (see --help)."""

from tfgan_stab.cli.main import play_game

if __name__ == "__main__":
    play_game()
