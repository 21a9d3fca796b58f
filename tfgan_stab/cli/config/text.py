"""Compares two configurations by their text, as it is kept in a workdir's `config.gin`."""

import re

__all__ = ["differences", "settings_of"]

_SETTING = re.compile(r"(?P<name>[\w./]+) = (?P<value>.*)")


def settings_of(text: str) -> dict[str, str]:
    r"""Returns the settings in a written-out configuration: value by name, both as text.

    Args:
        text: What `configuring.operative_text` returned. Long values continue on indented lines.

    Example:
        >>> settings_of("import keras\n# Numbers:\ntrain.epochs = 20\ntrain.scores = \\\n    [1]")
        {'train.epochs': '20', 'train.scores': '[1]'}
    """
    settings: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        match = _SETTING.fullmatch(line)
        if match:
            name = match["name"]
            settings[name] = match["value"].removesuffix("\\").strip()
        elif line.startswith(" ") and name:
            settings[name] = f"{settings[name]} {line.strip()}".strip()
        else:
            name = ""
    return settings


def differences(former: str, latter: str) -> list[str]:
    r"""Returns a readable line for each setting that differs, sorted by name.

    Args:
        former: A written-out configuration.
        latter: Another one.

    Returns:
        Lines `name: former value -> latter value`; empty if both set the same. Order, comments and
        imports do not count.

    Example:
        >>> differences("train.epochs = 20", "train.epochs = 30\ntrain.seed = 1")
        ['train.epochs: 20 -> 30', 'train.seed: (not set) -> 1']
    """
    before, after = settings_of(former), settings_of(latter)
    return [
        f"{name}: {before.get(name, '(not set)')} -> {after.get(name, '(not set)')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
