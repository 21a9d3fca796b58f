"""Every network of the papers once, as small as it can be, for 8x8 pictures where it can."""

import functools
import math

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


def sndcgan(normalization, num_classes=None):
    size = {"width": 4, "num_classes": num_classes}
    return (
        networks.sndcgan_generator(8, 1, LATENTS, **size),
        networks.sndcgan_discriminator(8, 1, normalization=normalization, **size),
    )


def dcgan_of_fives():
    size = {"image_size": 8, "channels": 1, "kernel_size": 5, "width": 4}
    return (
        networks.dcgan_generator(latents=LATENTS, **size),
        networks.dcgan_discriminator(**size),
    )


def dcgan28(num_classes=None):
    size = {"width": 2, "num_classes": num_classes}
    return (
        networks.dcgan28_generator(latents=LATENTS, **size),
        networks.dcgan28_discriminator(**size),
    )


def conventional(normalization, num_classes=None):
    size = {"image_size": 8, "channels": 1, "width": 16, "base_size": 1}
    size["num_classes"] = num_classes
    generator = networks.conventional_generator(latents=LATENTS, **size)
    discriminator = networks.conventional_discriminator(normalization=normalization, **size)
    for weight in discriminator.trainable_variables:
        # At this width the initial weights of the paper let hardly any gradient through.
        inputs = math.prod(weight.shape[:-1])
        weight.assign(weight * (2 / inputs) ** 0.5 / 0.02)
    return generator, discriminator


def text():
    size = {"vocabulary": 5, "length": 6, "width": 8, "blocks": 2}
    return networks.text_generator(latents=LATENTS, **size), networks.text_discriminator(**size)


def biggan():
    size = {"image_size": 8, "architecture": "biggan", "num_classes": CLASSES, **BLOCKS}
    shared = {"shared_embedding": 4, "hierarchical": True}
    return (
        networks.resnet_generator(channels=1, latents=LATENTS, **size, **shared),
        networks.resnet_discriminator(channels=1, halvings=2, **size),
    )


def r3gan(num_classes=None):
    size = {"image_size": 8, "channels": 1, "width": 8, "group_size": 4, "num_classes": num_classes}
    pair = networks.r3gan_generator(latents=LATENTS, **size), networks.r3gan_discriminator(**size)
    for network in pair:
        for weight in network.trainable_variables:
            # Away from the start, where no gradient passes through the last convolution of a block.
            if weight.name == "kernel":
                weight.assign(weight + 0.01)
    return pair


PAIRS = {
    "text": text,
    "dcgan of 5x5 kernels": dcgan_of_fives,
    "dcgan28": dcgan28,
    "dcgan28 by class": functools.partial(dcgan28, CLASSES),
    "sndcgan spectral": functools.partial(sndcgan, "spectral"),
    "sndcgan none": functools.partial(sndcgan, "none"),
    "sndcgan by class": functools.partial(sndcgan, "spectral", CLASSES),
    "conventional spectral": functools.partial(conventional, "spectral"),
    "conventional none": functools.partial(conventional, "none"),
    "conventional by class": functools.partial(conventional, "spectral", CLASSES),
    "resnet sngan": functools.partial(resnet, "sngan"),
    "resnet sngan by class": functools.partial(resnet, "sngan", CLASSES),
    "resnet svre": functools.partial(resnet, "svre"),
    "resnet wgan_gp": functools.partial(resnet, "wgan_gp"),
    "resnet biggan by class": biggan,
    "r3gan": r3gan,
    "r3gan by class": functools.partial(r3gan, CLASSES),
    "resnet sagan by class": functools.partial(attentive, CLASSES),
}
