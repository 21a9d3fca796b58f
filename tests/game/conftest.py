"""Lets the tests here import the small GANs of the contracts."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "contracts"))
