"""Two devices on this CPU for a process of its own; to be imported before TensorFlow uses any."""

import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
# Made once: TensorFlow mixes up the collectives of two strategies over the same devices.
STRATEGIES = {n: tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(n)]) for n in (1, 2)}
