"""Spectral normalization: each layer's weights divided by their largest singular value."""

from typing import Any

import keras

from tfgan_stab._utils import validation

ops = keras.ops
layers = keras.layers

# Layers that are linear in their inputs and keep their output channels on the kernel's last axis...
CHANNELS_LAST = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Embedding)
# ... and on the last axis but one.
CHANNELS_BEFORE_LAST = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)


@keras.saving.register_keras_serializable("tfgan_stab")
class SpectralNormalization(keras.layers.Wrapper):
    """Wraps a layer to use its weights divided by an estimate of their largest singular value.

    The layer computes with `W / sigma(W)`, where

        v = W^T u / |W^T u|,  u <- W v / |W v|,  sigma(W) = u^T W v

    and W is the kernel as a matrix, output channels x everything else. Gradients treat u and v as
    constants, and reach W through sigma too. In training each call takes `power_iterations` power
    iterations from the stored u and stores the result; in inference the stored u gives v and sigma,
    and nothing changes. The kernel itself is never written: optimizers and averages see W.

    In a GAN of this package every evaluation within a step starts from the u at the step's start:
    real and fake images see the same sigma, and u advances once per step, whatever the scheme.

    Args:
        layer: The layer to normalize: `Dense`, `Conv1D`/`2D`/`3D`, `Conv1DTranspose`/`2D`/`3D`
            (kernels `[..., out, in]`: the matrix has `out` rows) or `Embedding` (table
            `[rows, size]`: the matrix is size x rows), or a subclass with the same `call`.
        power_iterations: Power iterations per call in training, >= 1.
        seed: Seed of the initial u, an integer in [0, 2**62); `None` takes one from the stream that
            `keras.utils.set_random_seed` seeds.
        **kwargs: `name` and `trainable`, as in other layers.

    Raises:
        TypeError: If `layer` is of another kind.
        ValueError: If a number is out of range, `layer` is quantized, or `dtype` is given.

    Example:
        >>> layer = SpectralNormalization(keras.layers.Dense(1, use_bias=False), seed=0)
        >>> outputs = layer(keras.ops.ones((1, 4)), training=True)
        >>> float(abs(outputs[0, 0])) <= 2.0 + 1e-6  # The norm of the inputs.
        True

    Source: Miyato et al. 2018, arXiv 1802.05957, algorithm 1 and section 2.1.
    Departures: The layer's inputs are divided by sigma instead of its kernel (for an embedding, its
        outputs): the same function of W and of the inputs, without replacing weights during a call.
        A kernel of zeros is used as it is, and u is kept. The groups of a convolution are rows of
        one matrix, as the kernel is stored: sigma is no smaller than any group's. Under mixed
        precision u, v, sigma and the division have the kernel's dtype.
    """

    def __init__(
        self,
        layer: keras.Layer,
        power_iterations: int = 1,
        seed: int | None = None,
        **kwargs: Any,
    ):
        _check_layer(layer)
        power_iterations = validation.integer("power_iterations", power_iterations, fix="Use 1.")
        seed = None if seed is None else validation.seed(seed)
        if "dtype" in kwargs:
            raise ValueError(
                "`dtype` belongs to the wrapped layer, whose kernel's dtype this one computes in. "
                f"Received: dtype={kwargs['dtype']!r}. Write "
                f"SpectralNormalization({type(layer).__name__}(..., dtype=...))."
            )
        # In its variables' dtype the layer computes on them without rounding.
        super().__init__(layer, dtype=layer.dtype_policy.variable_dtype, **kwargs)
        self.power_iterations = power_iterations
        self.seed = seed
        self.supports_masking = layer.supports_masking

    def build(self, input_shape: Any = None) -> None:
        """Builds the wrapped layer and draws u."""
        super().build(input_shape)
        self.vector = self.add_weight(
            name="vector",
            shape=(self._matrix().shape[1],),
            initializer=self._initial_vector,
            trainable=False,
            # Replicas have the same weights, and so the same vector.
            aggregation="only_first_replica",
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Calls the wrapped layer, normalized."""
        sigma = self._sigma(self.power_iterations if training else 0)
        # Weights of zeros have nothing to be divided by.
        divisor = ops.where(sigma > 0, sigma, ops.ones_like(sigma))
        if isinstance(self.layer, layers.Embedding):
            outputs = self.layer(inputs)
            return ops.cast(ops.cast(outputs, divisor.dtype) / divisor, outputs.dtype)
        return self.layer(ops.cast(inputs, divisor.dtype) / divisor)

    def spectral_norm(self) -> Any:
        """Returns sigma(W) as used in inference, a scalar."""
        return self._sigma(0)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns the wrapped layer's mask."""
        return self.layer.compute_mask(inputs, previous_mask)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the wrapped layer's output shape."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the layer from."""
        config = {**super().get_config(), "power_iterations": self.power_iterations}
        del config["dtype"]
        return {**config, "seed": self.seed}

    def _sigma(self, iterations: int) -> Any:
        """Returns sigma(W) after some power iterations, and stores their u."""
        matrix = self._matrix()
        constant = ops.stop_gradient(matrix)
        left = ops.convert_to_tensor(self.vector)
        right = _unit(ops.matmul(constant, left))
        for iteration in range(iterations):
            if iteration:
                right = _unit(ops.matmul(constant, left))
            image = ops.matmul(right, constant)
            left = ops.where(ops.any(image != 0), _unit(image), left)
        if iterations:
            self.vector.assign(left)
        return ops.sum(ops.matmul(right, matrix) * left)

    def _matrix(self) -> Any:
        """Returns the kernel as a matrix W^T, everything else x output channels."""
        is_embedding = isinstance(self.layer, layers.Embedding)
        kernel = ops.convert_to_tensor(self.layer.embeddings if is_embedding else self.layer.kernel)
        if isinstance(self.layer, CHANNELS_BEFORE_LAST):
            kernel = ops.swapaxes(kernel, -1, -2)
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def _initial_vector(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        draw = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)
        return _unit(draw(shape, dtype))


def _unit(vector: Any) -> Any:
    """Returns a vector divided by its length; zeros stay zeros."""
    length = ops.sqrt(ops.sum(ops.square(vector)))
    return vector / ops.where(length > 0, length, ops.ones_like(length))


def _check_layer(layer: Any) -> None:
    kinds = (*CHANNELS_LAST, *CHANNELS_BEFORE_LAST)
    known = any(isinstance(layer, kind) and type(layer).call is kind.call for kind in kinds)
    if not known:
        names = ", ".join(kind.__name__ for kind in kinds)
        received = type(layer).__name__ if isinstance(layer, keras.Layer) else repr(layer)
        raise TypeError(
            f"`layer` must be one of {names}, with its own `call`. Received: {received}. Other "
            "layers have no single matrix to normalize (a depthwise convolution has one per "
            "channel): use them unwrapped."
        )
    if getattr(layer, "quantization_mode", None):
        raise ValueError(
            "`layer` must have floating-point weights. Received: "
            f"{layer.name!r}, quantized to {layer.quantization_mode!r}. Wrap it before that."
        )
