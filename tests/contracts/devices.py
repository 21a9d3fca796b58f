"""Two devices for a process of its own; to be imported before TensorFlow uses any.

They are two of this process's CPU, or, where TF_CONFIG names a cluster, one in each of two workers.
"""

import os

import tensorflow as tf


def strategies():
    """Strategies by their number of replicas."""
    if "TF_CONFIG" in os.environ:
        # First of all, before anything is computed.
        return {2: tf.distribute.MultiWorkerMirroredStrategy(), 1: tf.distribute.get_strategy()}
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, devices)
    return {n: tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(n)]) for n in (1, 2)}


# Made once: TensorFlow mixes up the collectives of two strategies over the same devices.
STRATEGIES = strategies()
