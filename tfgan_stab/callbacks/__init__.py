"""What runs around `fit`: swap weights, evaluate, draw samples, guard, checkpoint, log.

May import `training`, `evaluation` and all above them.
"""

from tfgan_stab._utils.errors import DivergenceError
from tfgan_stab.callbacks.best_checkpoint import BestCheckpoint
from tfgan_stab.callbacks.checkpoint import Checkpoint
from tfgan_stab.callbacks.diagnostics import Diagnostics
from tfgan_stab.callbacks.divergence_guard import DivergenceGuard
from tfgan_stab.callbacks.evaluate import Evaluate
from tfgan_stab.callbacks.run_log import RunLog
from tfgan_stab.callbacks.sample_grid import SampleGrid
from tfgan_stab.callbacks.swap_weights import SwapWeights

__all__ = [
    "BestCheckpoint",
    "Checkpoint",
    "Diagnostics",
    "DivergenceError",
    "DivergenceGuard",
    "Evaluate",
    "RunLog",
    "SampleGrid",
    "SwapWeights",
]
