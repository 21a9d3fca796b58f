"""What runs around `fit`: swap weights, evaluate, draw samples, guard, checkpoint, log.

May import `_utils`, `data`, `networks`, `training` and `evaluation`.
"""

from tfgan_stab._utils.errors import DivergenceError
from tfgan_stab.callbacks.base import (
    CheckpointEvent,
    GANCallback,
    ImageEvent,
    Periodic,
    SamplesEvent,
    ScoreEvent,
    TextEvent,
)
from tfgan_stab.callbacks.best_checkpoint import BestCheckpoint
from tfgan_stab.callbacks.checkpoint import Checkpoint
from tfgan_stab.callbacks.checkpoint_files import DamagedCheckpointError
from tfgan_stab.callbacks.diagnostics import Diagnostics
from tfgan_stab.callbacks.divergence_guard import DivergenceGuard
from tfgan_stab.callbacks.evaluate import Evaluate
from tfgan_stab.callbacks.profile import Profile
from tfgan_stab.callbacks.run_log import RunLog
from tfgan_stab.callbacks.sample_grid import SampleGrid
from tfgan_stab.callbacks.sample_text import SampleText
from tfgan_stab.callbacks.swap_weights import SwapWeights
from tfgan_stab.training.xla import Compilation

__all__ = [
    "BestCheckpoint",
    "Checkpoint",
    "CheckpointEvent",
    "Compilation",
    "DamagedCheckpointError",
    "Diagnostics",
    "DivergenceError",
    "DivergenceGuard",
    "Evaluate",
    "GANCallback",
    "ImageEvent",
    "Periodic",
    "Profile",
    "RunLog",
    "SampleGrid",
    "SampleText",
    "SamplesEvent",
    "ScoreEvent",
    "SwapWeights",
    "TextEvent",
]


def __dir__() -> list[str]:
    return sorted(__all__)
