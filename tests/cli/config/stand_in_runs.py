"""Settings for a stand-in that the folder's conftest writes."""

import functools
import textwrap

from tfgan_stab.cli.config import gin as configuring

# The stand-in is not of this package.
parse = functools.partial(configuring.parse, unsafe_imports=True)


def run(*bindings, files=("run.gin",)):
    import stand_in

    parse(files, bindings)
    return configuring.configured(stand_in.run)()


def write(folder, name, text):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("from __gin__ import dynamic_registration\n" + textwrap.dedent(text))
