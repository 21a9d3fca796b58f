"""Lets the tests here import what they share, and the small GANs of the contracts."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "contracts")]
