"""What decides a model's training, for a run's records."""

from typing import Any

import numpy as np


def of(gan: Any) -> dict[str, Any]:
    """Returns a compiled GAN's settings, in values that JSON can hold.

    Args:
        gan: The model.
    """
    networks = {"generator": gan.generator, "discriminator": gan.discriminator}
    return {
        "scheme": repr(gan.scheme),
        "penalties": [repr(penalty) for penalty in gan.penalties],
        "top_k": repr(gan.top_k) if gan.top_k else None,
        "field_evaluations_per_step": gan.scheme.evaluations,
        "minibatches_per_step": gan.scheme.minibatches,
        "loss": gan.loss_pair.name,
        "averages": {name: repr(rule) for name, rule in gan.averages.items()},
        "xla": gan.compilation._asdict(),
        "precision": gan.precision,
        "replicas": gan.distribute_strategy.num_replicas_in_sync,
        "noise_seed": gan.seed,
        "data": gan.data_facts,
        "parameters": {
            name: int(sum(np.prod(v.shape) for v in network.trainable_variables))
            for name, network in networks.items()
        },
    }
