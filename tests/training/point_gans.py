"""GANs on points of two numbers, as a Keras user would write them."""

import keras
import numpy as np

import tfgan_stab as tgs

layers = keras.layers


def points_pair(latents=3):
    generator = keras.Sequential(
        [keras.Input((latents,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)]
    )
    discriminator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, "relu"), layers.Dropout(0.2), layers.Dense(1)]
    )
    return generator, discriminator


def make(latents=3, **settings):
    keras.utils.set_random_seed(0)
    gan = tgs.GAN(*points_pair(latents), latents=latents)
    gan.compile(
        keras.optimizers.Adam(1e-3, beta_1=0.5),
        keras.optimizers.Adam(4e-3, beta_1=0.5),
        **{"jit_compile": False, "averages": {"ema": tgs.ExponentialAverage(0.5)}, **settings},
    )
    return gan


def points(rows=32):
    return np.random.RandomState(0).normal(size=[rows, 2]).astype("float32")


def conditional_pair(classes=4):
    noise, labels = keras.Input((3,)), keras.Input((), dtype="int32")
    joined = layers.Concatenate()([noise, layers.Embedding(classes, 3)(labels)])
    generator = keras.Model([noise, labels], layers.Dense(2)(joined))
    image, label = keras.Input((2,)), keras.Input((), dtype="int32")
    joined = layers.Concatenate()([image, layers.Embedding(classes, 2)(label)])
    discriminator = keras.Model([image, label], layers.Dense(1)(layers.Dense(8, "relu")(joined)))
    return generator, discriminator
