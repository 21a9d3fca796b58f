"""Lists the recipes: .venv/bin/python scripts/recipes.py (see --help)."""

from tfgan_stab.cli.main import recipes

if __name__ == "__main__":
    recipes()
