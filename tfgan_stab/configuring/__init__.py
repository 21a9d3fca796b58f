"""Turns gin files and bindings into settings; the only part of the package that imports gin.

Config files import what they set (gin's dynamic registration), so the library itself carries no
decorators. Before gin parses anything, each name in each file is looked up: a setting that reaches
nothing is an error, and the error says what was meant and where.
"""

from tfgan_stab.configuring.names import ConfigError
from tfgan_stab.configuring.reading import find_file, read
from tfgan_stab.configuring.settings import (
    configured,
    operative_text,
    parse,
    plain_message,
    unused,
)
from tfgan_stab.configuring.text import differences, settings_of

__all__ = [
    "ConfigError",
    "configured",
    "differences",
    "find_file",
    "operative_text",
    "parse",
    "plain_message",
    "read",
    "settings_of",
    "unused",
]
