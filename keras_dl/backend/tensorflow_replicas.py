"""Losses under `tf.distribute`, as they would be on a single device.

TensorFlow adds the gradients of all replicas up, so the loss of each replica
must be its share of the mean. Keras' own loss objects divide by the number of
replicas for that; a loss that is written with `ops.mean` is not divided. Both
look the same in a step, so this module reads off the traced graph which of
the two a scalar is, and the engine treats either one right.
"""

import tensorflow as tf

# The function of Keras that divides, as it stands in an operation's traceback.
_DIVIDES = "scale_loss_for_distribution"
# The scope of our own multiplications, behind which a value is whole again.
_WHOLE = "keras_dl_whole"


def count():
    """The number of replicas that run the present step."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def unscale(value):
    """`value` as a single device would give it: not divided."""
    if count() == 1 or not _is_divided(value):
        return value
    with tf.name_scope(_WHOLE):
        return value * tf.cast(count(), value.dtype)


def scale_by_replicas(value):
    """This replica's share of `value`, which is not divided."""
    return value if count() == 1 else value / tf.cast(count(), value.dtype)


def _is_divided(value):
    if not hasattr(value, "graph"):
        raise ValueError(
            "Several replicas of `tf.distribute` need a compiled step: "
            "compile the model with `run_eagerly=False`."
        )
    divided = plain = False
    seen, waiting = set(), [value.op]
    while waiting:
        op = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        if f"{_WHOLE}" in op.name:
            plain = True
        elif any(frame.name == _DIVIDES for frame in op.traceback):
            divided = True
        elif op.inputs:
            waiting.extend(tensor.op for tensor in op.inputs)
        elif op.type != "Const":
            plain = True
    if divided and plain:
        raise ValueError(
            "Under `tf.distribute`, Keras' losses are divided by the number "
            "of replicas, and plain means are not; this scalar adds both up. "
            "Write all of its terms with `keras.losses`, or none, or minimize "
            "them one by one."
        )
    return divided
