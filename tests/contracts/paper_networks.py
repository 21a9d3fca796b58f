"""Every network of the papers once, as small as it can be, for 8x8 pictures where it can."""

import functools

import tfgan_stab as tgs

networks = tgs.networks
LATENTS, CLASSES = 3, 4
BLOCKS = {"width": 4, "multiples": (2, 2, 2)}


def resnet(architecture, num_classes=None, **settings):
    size = {"image_size": 8, "architecture": architecture, "num_classes": num_classes, **BLOCKS}
    return (
        networks.resnet_generator(channels=1, latents=LATENTS, **size),
        networks.resnet_discriminator(channels=1, halvings=2, **size, **settings),
    )


def attentive(num_classes=None):
    size = {"image_size": 8, "architecture": "sagan", "num_classes": num_classes, **BLOCKS}
    return (
        networks.resnet_generator(channels=1, latents=LATENTS, attention=4, **size),
        networks.resnet_discriminator(channels=1, halvings=2, attention=4, **size),
    )


PAIRS = {
    "resnet sngan": functools.partial(resnet, "sngan"),
    "resnet sngan by class": functools.partial(resnet, "sngan", CLASSES),
    "resnet svre": functools.partial(resnet, "svre"),
    "resnet wgan_gp": functools.partial(resnet, "wgan_gp"),
    "resnet sagan by class": functools.partial(attentive, CLASSES),
}
