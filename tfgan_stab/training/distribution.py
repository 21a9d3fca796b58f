"""The only code that writes weights, and the only code that talks to other replicas.

Values assigned per replica are not checked by TensorFlow: unequal ones leave the copies of a weight
silently different. So every write goes through here, and whatever is written was either averaged
here or computed from such averages alike on every replica.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab.data.batches import Batches
from tfgan_stab.game import top_k
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import Evaluation, GameFunctions
from tfgan_stab.game.players import BOTH, Players


def num_replicas() -> int:
    """Returns how many replicas share a batch, 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def local_devices(strategy: tf.distribute.Strategy) -> list[str]:
    """Returns the names of a strategy's devices on this machine; none where it has but one."""
    if strategy.num_replicas_in_sync == 1:
        return []
    return list(strategy.extended.worker_devices)


def replica_number() -> tf.Tensor | int:
    """Returns this replica's number, counted from 0; 0 outside of replicas."""
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group if context and num_replicas() > 1 else 0


def spread(data: Any, strategy: tf.distribute.Strategy) -> Any:
    """Returns data of which each replica gets its rows, and each process reads its own alone.

    Args:
        data: What `fit` is given. Other than data sets of `tgs.data`, and batches that cannot be
            shared evenly, are left to Keras: each process reads all, and takes rows of the batch.
            TensorFlow would deal out files to processes instead, where it finds any: another
            order than that of one process, and of another number of them.
        strategy: The model's.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1 or not isinstance(data, tf.data.Dataset):
        return data
    if not isinstance(data, Batches) or data.batch_size % replicas:
        return _by_rows(data)
    return strategy.distribute_datasets_from_function(
        lambda context: data.of_process(
            context.input_pipeline_id, context.num_input_pipelines, replicas
        )
    )


def _by_rows(data: tf.data.Dataset) -> tf.data.Dataset:
    """Returns data that processes share row by row, unless the user has chosen how."""
    policies = tf.data.experimental.AutoShardPolicy
    if data.options().experimental_distribute.auto_shard_policy != policies.AUTO:
        return data
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = policies.DATA
    return data.with_options(options)


def of_all(strategy: tf.distribute.Strategy, numbers: Sequence[int]) -> list[list[int]]:
    """Returns the numbers of each process that trains, in their order; alike on all of them.

    Args:
        strategy: The model's. All its processes must call this, with as many numbers.
        numbers: This process's own, integers in [-2**63, 2**63).
    """
    found = _collector(strategy)(tf.constant([numbers], tf.int64))
    local = strategy.experimental_local_results(found)
    return local[0].numpy()[:: len(local)].tolist()


@functools.lru_cache(maxsize=1)
def _collector(strategy: tf.distribute.Strategy) -> Callable[[tf.Tensor], Any]:
    """Returns the graph that collects rows of all replicas, traced once for a strategy."""

    def collected(row: tf.Tensor) -> tf.Tensor:
        # Copied, since what is communicated must be on a device.
        return tf.distribute.get_replica_context().all_gather(tf.identity(row), axis=0)

    return tf.function(lambda row: strategy.run(collected, args=(row,)), autograph=False)


def as_logs(metrics: Sequence[keras.metrics.Metric]) -> dict[str, tf.Tensor]:
    """Returns metrics' results by name; as rows where Keras, with several workers, sums rows."""
    rows = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
    return {each.name: each.result()[None] if rows else each.result() for each in metrics}


class Rows(NamedTuple):
    """How the rows of a batch are spread over replicas.

    Attributes:
        share: float64 scalar, how much this replica's rows count in a mean over all rows: 1 on
            average, 0 for a replica that the last, smaller batch left without rows; `None` where
            all replicas have as many.
        total: int64 scalar, the rows of all replicas.
    """

    share: tf.Tensor | None
    total: tf.Tensor


def rows_of(batch: tf.Tensor) -> Rows:
    """Returns how rows are spread; communicates only where replicas may have different numbers.

    Args:
        batch: This replica's rows along axis 0. Where the graph knows their number, all replicas
            have as many.
    """
    own = tf.shape(batch, out_type=tf.int64)[0]
    if num_replicas() == 1 or batch.shape[0] is not None:
        return Rows(None, own * num_replicas())
    context = tf.distribute.get_replica_context()
    total = context.all_reduce(tf.distribute.ReduceOp.SUM, own)
    mean = tf.cast(total, tf.float64) / num_replicas()
    return Rows(tf.cast(own, tf.float64) / mean, total)


def weighted(value: tf.Tensor, share: tf.Tensor | None) -> tf.Tensor:
    """Returns `share * value`; 0 where the share is 0, even of a value that is not a number."""
    if share is None or not value.dtype.is_floating:
        return value
    return tf.math.multiply_no_nan(value, tf.cast(share, value.dtype))


def average(values: Any, share: tf.Tensor | None = None) -> Any:
    """Returns the mean over replicas of each tensor of a nested structure.

    Args:
        values: Nested tensors, alike on all replicas; `None` stays `None`.
        share: What `rows_of` says of this replica's rows.

    Returns:
        The same structure. Integer tensors are this replica's own: counters and seeds, which
        advance alike everywhere.
    """
    if num_replicas() == 1:
        return values
    flat = tf.nest.flatten(values)
    places = [i for i, value in enumerate(flat) if value is not None and value.dtype.is_floating]
    if places:
        context = tf.distribute.get_replica_context()
        own = [weighted(flat[i], share) for i in places]
        means = context.all_reduce(tf.distribute.ReduceOp.MEAN, own)
        for i, mean in zip(places, means, strict=True):
            flat[i] = mean
    return tf.nest.pack_sequence_as(values, flat)


def gather(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | int]:
    """Returns the rows of all replicas, one after the other, and where this replica's begin.

    Args:
        values: This replica's rows along axis 0.
    """
    if num_replicas() == 1:
        return values, 0
    context = tf.distribute.get_replica_context()
    rows = context.all_gather(values, axis=0)
    if values.shape[0] is not None:
        return rows, replica_number() * values.shape[0]
    counts = context.all_gather(tf.shape(values)[:1], axis=0)
    return rows, tf.cumsum(counts, exclusive=True)[replica_number()]


def read(variables: Sequence[keras.Variable]) -> list[tf.Tensor]:
    """Returns the variables' values now, as tensors that later writes do not change."""
    return [tf.identity(tf.convert_to_tensor(variable.value)) for variable in variables]


@contextlib.contextmanager
def unchanged(variables: Sequence[keras.Variable]) -> Iterator[None]:
    """Puts back the variables' values at the end."""
    values = read(variables)
    try:
        yield
    finally:
        write(variables, values)


def read_integer(variable: keras.Variable) -> int:
    """Returns an integer variable's value, outside of replicas."""
    return int(tf.convert_to_tensor(variable.value))


def write(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    """Assigns each variable its value, on every replica.

    Args:
        variables: Keras variables.
        values: Tensors or arrays of the same shapes; in a replica context they must be equal on
            all replicas.
    """
    for variable, value in zip(variables, values, strict=True):
        variable.value.assign(tf.cast(value, variable.value.dtype))


def apply(
    optimizer: keras.optimizers.Optimizer,
    variables: Sequence[keras.Variable],
    gradients: Sequence[tf.Tensor],
) -> None:
    """Lets a Keras optimizer update its variables.

    Args:
        optimizer: Built on `variables`.
        variables: The trainable weights of one player.
        gradients: Of the player's loss, already averaged over replicas.
    """
    # Optimizers that scale losses divide what they are given by their scale; these are unscaled.
    optimizer.apply([optimizer.scale_loss(each) for each in gradients], list(variables))


def use_local_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes an optimizer take gradients as they are: averaged over replicas already.

    Keras' optimizers sum over replicas. Dividing by their number beforehand would give the same
    sum, but gradient clipping would see gradients that are too small, and everything would be
    communicated twice.

    Args:
        optimizer: An optimizer that updates one player's weights and nothing else.

    Raises:
        RuntimeError: If the optimizer does not sum the way Keras' do.
    """
    if num_replicas() == 1:
        return
    if not hasattr(optimizer, "_all_reduce_sum_gradients"):
        raise RuntimeError(
            "Expected a Keras optimizer of the TensorFlow backend. Received: "
            f"{type(optimizer).__name__}, which does not say how it sums over replicas. Train "
            "without a distribution strategy, or use an optimizer of `keras.optimizers`."
        )
    vars(optimizer)["_all_reduce_sum_gradients"] = list
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        use_local_gradients(optimizer.inner_optimizer)


class ReplicaMean:
    """The game's gradients and their vjps, averaged over replicas.

    Args:
        functions: The game's functions, compiled.
        state: `Players` of lists of tensors: batch statistics, spectral-norm vectors and seeds at
            the start of the step. Every evaluation starts from them.
        share: What `rows_of` says of this replica's rows.
        top_k_together: Whether replicas choose the fake images to learn from together.
    """

    def __init__(
        self,
        functions: GameFunctions,
        state: Players,
        share: tf.Tensor | None,
        top_k_together: bool,
    ):
        self._functions = functions
        self._state = state
        self._share = share
        self._together = top_k_together and num_replicas() > 1
        self._state_after: Players | None = None
        self.penalty_values: tuple = ()

    @property
    def state_after(self) -> Players:
        """Batch statistics and the like after the first evaluation, means over replicas."""
        return self._state if self._state_after is None else self._state_after

    def evaluate(self, params: Players, minibatch: Minibatch, players: Sequence[str]) -> Evaluation:
        """Returns the evaluation at `params`, its gradients averaged.

        Only the first evaluation's state and each penalty's first value are averaged, too.
        """
        minibatch = self._weighted(params, minibatch, players)
        found = self._functions.gradients(params, self._state, minibatch, tuple(players))
        known = self.penalty_values or (None,) * len(found.penalty_values)
        pairs = zip(found.penalty_values, known, strict=True)
        values = [value if first is None else None for value, first in pairs]
        state = found.state if self._state_after is None else None
        gradients, state, values = average((found.gradients, state, values), self._share)
        self.penalty_values = tuple(
            value if first is None else first for value, first in zip(values, known, strict=True)
        )
        if self._state_after is None:
            self._state_after = state
        return found._replace(gradients=gradients)

    def loss_gradients(
        self, params: Players, minibatch: Minibatch, players: Sequence[str]
    ) -> Players:
        """Returns the gradients of the losses alone, averaged."""
        minibatch = self._weighted(params, minibatch.without_penalties(), players)
        found = self._functions.gradients(params, self._state, minibatch, tuple(players))
        return average(found.gradients, self._share)

    def vjp(
        self, params: Players, minibatch: Minibatch, cotangents: Players, players: Sequence[str]
    ) -> Players:
        """Returns the derivative of `<loss gradients, cotangents>` along the players' weights."""
        minibatch = self._weighted(params, minibatch.without_penalties(), BOTH)
        found = self._functions.vjp(params, self._state, minibatch, cotangents, tuple(players))
        return average(found, self._share)

    def _weighted(self, params: Players, minibatch: Minibatch, players: Sequence[str]) -> Minibatch:
        """Returns the minibatch with the fakes' weights, where replicas choose them together."""
        if not self._together or "generator" not in players:
            return minibatch
        own = self._functions.realness(params, self._state, minibatch)
        scores, first = gather(own)
        chosen = top_k.weights(scores, minibatch.num_kept)
        return minibatch._replace(fake_weights=chosen[first : first + tf.shape(own)[0]])


class StoredTensors(keras.layers.Layer):
    """Nested tensors kept in variables from step to step; a layer only so that Keras saves them.

    Args:
        example: The tensors' structure, shapes and types.
        name: What they are.
    """

    def __init__(self, example: Any, name: str):
        super().__init__(name=name, trainable=False)
        # A function, because Keras would turn a nested attribute into containers of its own.
        structure = tf.nest.map_structure(lambda _: 0, example)
        self._structure = lambda: structure
        for number, value in enumerate(map(tf.convert_to_tensor, tf.nest.flatten(example))):
            self.add_weight(
                shape=value.shape,
                dtype=value.dtype.name,
                initializer="zeros",
                trainable=False,
                name=f"tensor_{number}",
            )
        self.built = True

    def read(self) -> Any:
        """Returns the tensors, nested as the example was."""
        return tf.nest.pack_sequence_as(self._structure(), read(self.weights))

    def write(self, tensors: Any) -> None:
        """Keeps other tensors of the same structure instead."""
        write(self.weights, tf.nest.flatten(tensors))
