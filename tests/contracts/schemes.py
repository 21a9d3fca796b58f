"""Every scheme, once, and a small GAN to hold each to the same promises.

A new scheme takes one line here: its name, itself, and how a plain NumPy program plays a round of
it (`naive_gan.py` has what such a program needs).
"""

from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.simultaneous import Simultaneous


def simultaneous(game, params, parts):
    slopes = [game.slope(player, params, parts[0]) for player in (0, 1)]
    return [game.move(player, params[player], slopes[player]) for player in (0, 1)]


def alternating(game, params, parts):
    generator, discriminator = params
    for part in parts:
        slope = game.slope(1, (generator, discriminator), part)
        discriminator = game.move(1, discriminator, slope)
    slope = game.slope(0, (generator, discriminator), parts[-1])
    return [game.move(0, generator, slope), discriminator]


SCHEMES = {
    "simultaneous": (Simultaneous(), simultaneous),
    "alternating": (Alternating(), alternating),
    "alternating_3": (Alternating(3), alternating),
}
