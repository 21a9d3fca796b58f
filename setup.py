"""Defines the package; tool settings live in pyproject.toml."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (ROOT / "tfgan_stab" / "__init__.py").read_text(), re.MULTILINE
).group(1)

# Ruff exactly, since each version formats a little differently.
TESTS = ["pytest>=8.0", "pytest-timeout>=2.3", "pytest-xdist>=3.8", "ruff==0.17.6", "mypy>=1.11"]
# What scripts/benchmarks/evaluation.py compares with; pytorch-fid needs SciPy of before 1.18.
BENCHMARKS = ["scipy>=1.11,<1.18", "pytorch-fid>=0.3", "torch-fidelity>=0.3"]

setuptools.setup(
    name="tfgan_stab",
    version=VERSION,
    description="Stable GAN training in TensorFlow and Keras, through model.fit.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    # The gin files lie beside the package in the repository, and inside it once installed.
    packages=[
        *setuptools.find_packages(include=["tfgan_stab", "tfgan_stab.*"]),
        "tfgan_stab.gin_configs",
    ],
    package_dir={"tfgan_stab.gin_configs": "gin_configs"},
    package_data={"tfgan_stab": ["py.typed"], "tfgan_stab.gin_configs": ["**/*.gin"]},
    install_requires=[
        "tensorflow>=2.18",
        # For the event files; TensorFlow 2.21 no longer brings it.
        "tensorboard>=2.18",
        # Before 3.12.1, and in 3.13 before 3.13.2, files that are loaded can run code.
        "keras>=3.12.1,!=3.13.0,!=3.13.1",
        "numpy>=1.26",
        "tensorflow-datasets>=4.9.7",
        # TensorFlow Datasets imports it, and counts on others to bring it.
        "importlib_resources>=6.5",
        "tensorflow-gan>=2.1",
        "tensorflow-hub>=0.16.1",
        # tensorflow-hub imports pkg_resources, which setuptools 81 announced to drop.
        "setuptools<81",
        "absl-py>=2.1",
        "gin-config>=0.5",
        "scikit-learn>=1.4",
        "matplotlib>=3.8",
        "pillow>=10",
        "tqdm>=4.66",
    ],
    extras_require={
        "tests": TESTS,
        "benchmarks": BENCHMARKS,
        "dev": [*TESTS, "build>=1.2", "pre-commit>=3.7", "twine>=6.1"],
    },
    entry_points={
        "console_scripts": [
            "tfgan-stab-evaluate=tfgan_stab.cli.main:evaluate",
            "tfgan-stab-play-game=tfgan_stab.cli.main:play_game",
            "tfgan-stab-recipes=tfgan_stab.cli.main:recipes",
            "tfgan-stab-sample=tfgan_stab.cli.main:sample",
            "tfgan-stab-train=tfgan_stab.cli.main:train",
        ]
    },
)
