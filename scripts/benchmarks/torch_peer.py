"""The benchmark's networks and steps in PyTorch, eager; reads numbers of steps, and takes them.

Started by `contenders.PyTorch`, which times it. Networks and steps are those of `programs.py`:
non-saturating loss, Adam(1e-4, beta_1=0.5), noise of 64 numbers.
"""

import itertools
import os
import sys

import torch
from torch import nn
from torch.nn import functional

LATENTS = 64


def mlp():
    """Four layers of 256 units each, on points."""

    def stack(inputs, outputs):
        sizes = [inputs, 256, 256, 256, 256]
        hidden = [(nn.Linear(a, b), nn.ReLU()) for a, b in itertools.pairwise(sizes)]
        return nn.Sequential(*(layer for pair in hidden for layer in pair), nn.Linear(256, outputs))

    return stack(LATENTS, 2), stack(2, 1), [256, 2]


def dcgan(width, batch):
    """The DCGAN of 32x32 images."""
    channels = [4 * width, 2 * width, width]
    layers = [
        nn.Linear(LATENTS, 16 * channels[0], bias=False),
        nn.Unflatten(1, (channels[0], 4, 4)),
        nn.BatchNorm2d(channels[0]),
        nn.ReLU(),
    ]
    for a, b in itertools.pairwise(channels):
        layers += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    generator = nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh())
    layers, before = [], 3
    for after in channels[::-1]:
        normalized = [nn.BatchNorm2d(after)] if before > 3 else []
        layers += [nn.Conv2d(before, after, 4, 2, 1, bias=not normalized), *normalized]
        layers.append(nn.LeakyReLU(0.2))
        before = after
    discriminator = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * before, 1))
    return generator, discriminator, [batch, 3, 32, 32]


PROGRAMS = {"mlp": mlp, "dcgan": lambda: dcgan(32, 64), "rk4": lambda: dcgan(16, 32)}


def alternating(generator, discriminator, images):
    """Returns a step: the discriminator learns, then the generator, with noise of its own."""
    optimizers = [
        torch.optim.Adam(network.parameters(), 1e-4, (0.5, 0.999))
        for network in (generator, discriminator)
    ]

    def step():
        noise = torch.randn(len(images), LATENTS)
        with torch.no_grad():
            fake = generator(noise)
        loss = functional.softplus(discriminator(fake)).mean()
        loss = loss + functional.softplus(-discriminator(images)).mean()
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        loss = functional.softplus(-discriminator(generator(noise))).mean()
        optimizers[0].zero_grad()
        loss.backward(inputs=list(generator.parameters()))
        optimizers[0].step()

    return step


def runge_kutta(generator, discriminator, images, weight=0.01):
    """Returns a step of RK4 with the penalty on the generator's gradient, through Adam."""
    networks = (generator, discriminator)
    variables = [list(network.parameters()) for network in networks]
    everything = [*variables[0], *variables[1]]
    optimizers = [torch.optim.Adam(own, 1e-4, (0.5, 0.999)) for own in variables]

    def gradients(noise, with_penalty):
        fake = generator(noise)
        logits = discriminator(fake)
        loss_of_generator = functional.softplus(-logits).mean()
        loss = (
            functional.softplus(logits).mean() + functional.softplus(-discriminator(images)).mean()
        )
        keep = {"retain_graph": True}
        own = torch.autograd.grad(
            loss_of_generator, variables[0], create_graph=with_penalty, **keep
        )
        other = torch.autograd.grad(loss, variables[1], retain_graph=with_penalty)
        penalty = None
        if with_penalty:
            norm = weight / 2 * sum((g * g).sum() for g in own)
            penalty = torch.autograd.grad(norm, variables[1], allow_unused=True)
        return [g.detach() for g in (*own, *other)], penalty

    def step(rate=1e-4):
        noise = torch.randn(len(images), LATENTS)
        start = [v.detach().clone() for v in everything]
        total, first_penalty = None, None
        for fraction, share in ((0.5, 1 / 6), (0.5, 1 / 3), (1.0, 1 / 3), (None, 1 / 6)):
            found, penalty = gradients(noise, total is None)
            first_penalty = penalty if total is None else first_penalty
            scaled = torch._foreach_mul(found, share)
            total = scaled if total is None else torch._foreach_add(total, scaled)
            with torch.no_grad():
                for v, w, g in zip(everything, start, found, strict=True):
                    v.copy_(w if fraction is None else w - rate * fraction * g)
        for v, g in zip(everything, total, strict=True):
            v.grad = g
        for v, g in zip(variables[1], first_penalty, strict=True):
            v.grad = v.grad if g is None else v.grad + g
        for optimizer in optimizers:
            optimizer.step()

    return step


def main():
    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count())
    name = sys.argv[1]
    *networks, shape = PROGRAMS[name]()
    images = torch.rand(shape) * 2 - 1
    step = (runge_kutta if name == "rk4" else alternating)(*networks, images)
    for line in sys.stdin:
        for _ in range(int(line)):
            step()
        print("done", flush=True)


if __name__ == "__main__":
    main()
