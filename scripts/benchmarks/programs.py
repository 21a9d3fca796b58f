"""Ten programs of users: pairs of networks, the shape of a batch, and settings of `compile`."""

import keras

import tfgan_stab as tgs

layers = keras.layers


def dcgan(size, width, batch, **settings):
    networks = (
        tgs.networks.dcgan_generator(size, 3, latents=64, width=width, base_size=min(4, size // 4)),
        tgs.networks.dcgan_discriminator(size, 3, width=width, base_size=min(4, size // 4)),
    )
    return networks, [batch, size, size, 3], settings


def readme(**settings):
    networks = (
        tgs.networks.dcgan_generator(8, 1, latents=64, base_size=2),
        tgs.networks.dcgan_discriminator(8, 1, base_size=2),
    )
    averages = {"ema": tgs.ExponentialAverage(0.999)}
    return networks, [64, 8, 8, 1], {"averages": averages, **settings}


def conditional(**settings):
    """A DCGAN of ten classes."""
    networks = (
        tgs.networks.dcgan_generator(16, 1, latents=64, width=16, num_classes=10),
        tgs.networks.dcgan_discriminator(16, 1, width=16, num_classes=10),
    )
    return networks, [64, 16, 16, 1], settings


def mlp(width, batch, **settings):
    networks = (
        tgs.networks.mlp_generator(latents=64, width=width, depth=4),
        tgs.networks.mlp_discriminator(width=width, depth=4),
    )
    return networks, [batch, 2], settings


def residual(**settings):
    """Residual networks of 32x32 images."""

    def block(x, channels, resize):
        short = resize(layers.Conv2D(channels, 1)(x))
        for _ in range(2):
            x = layers.Conv2D(channels, 3, padding="same")(layers.ReLU()(x))
        return layers.Add()([short, resize(x)])

    latents, images = keras.Input((64,)), keras.Input((32, 32, 3))
    x = layers.Reshape((4, 4, 32))(layers.Dense(4 * 4 * 32)(latents))
    for _ in range(3):
        x = block(x, 32, tgs.networks.UpSampling2D())
    generator = keras.Model(latents, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))
    x = images
    for _ in range(3):
        x = block(x, 32, layers.AveragePooling2D(2))
    x = layers.Dense(1)(layers.GlobalAveragePooling2D()(layers.ReLU()(x)))
    return (generator, keras.Model(images, x)), [32, 32, 32, 3], settings


def sequences(**settings):
    """One-dimensional convolutions."""
    generator = [layers.Dense(32 * 32), layers.Reshape((32, 32))]
    generator += [layers.Conv1D(32, 5, padding="same", activation="relu"), layers.Conv1D(8, 1)]
    discriminator = [
        layers.Conv1D(32, 5, padding="same", activation="leaky_relu") for _ in range(3)
    ]
    networks = (
        keras.Sequential([keras.Input((64,)), *generator]),
        keras.Sequential([keras.Input((32, 8)), *discriminator, layers.Flatten(), layers.Dense(1)]),
    )
    return networks, [64, 32, 8], settings


def attention(**settings):
    """A discriminator with an attention layer."""
    inputs = keras.Input((32, 8))
    hidden = layers.Dense(32)(inputs)
    hidden = layers.MultiHeadAttention(2, 16)(hidden, hidden)
    discriminator = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(hidden)))
    generator = keras.Sequential(
        [keras.Input((64,)), layers.Dense(32 * 8), layers.Reshape((32, 8)), layers.Dense(8)]
    )
    return (generator, discriminator), [64, 32, 8], settings


PROGRAMS = {
    "README's example": readme,
    "DCGAN 8x8": lambda: dcgan(8, 32, 64),
    "DCGAN 32x32": lambda: dcgan(32, 32, 64),
    "WGAN-GP 32x32": lambda: dcgan(
        32, 32, 64, loss="wasserstein", penalties=[tgs.GradientPenalty(10.0)]
    ),
    "RK4 and gradient norm": lambda: dcgan(
        32, 16, 32, scheme=tgs.RungeKutta("rk4"), penalties=[tgs.GeneratorGradientNorm(0.01)]
    ),
    "ResNet 32x32": residual,
    "DCGAN 64x64": lambda: dcgan(64, 16, 32),
    "conditional DCGAN 16x16": conditional,
    "MLP 4x256": lambda: mlp(256, 256),
    "one-dimensional convolutions": sequences,
    "attention": attention,
}
