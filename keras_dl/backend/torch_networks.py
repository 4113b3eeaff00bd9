"""Layers and functional models called without what nobody asked for.

What Keras does around the `call` of a layer takes 0.3 ms here, in every step,
as much as a small layer computes; on the other backends it is done once, when
a step is compiled.
"""

import functools
import inspect
import weakref

import keras
import torch

from keras_dl.backend import keras_names

_steps = weakref.WeakKeyDictionary()


def call(layer, x, **kwargs):
    """`layer(x)`, by its `call` alone where nothing else is asked for.

    This is for layers that a layer calls in its own `call`, which has opened
    the scope of its policy: those of the same policy need no other.
    """
    more = (
        layer.quantization_mode
        or layer.activity_regularizer
        or layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._remat_mode
        or keras.distribution.distribution()
    )
    same = keras.backend.standardize_dtype(x.dtype) == layer.compute_dtype
    if more or not same or not layer.built:
        return layer(x, **kwargs)
    return layer.call(x, **kwargs)


def run(network, inputs, **kwargs):
    """`network(inputs, training=...)`, each of its layers by `call`.

    Anything but a functional or sequential model, and one that somebody
    listens to, is called as always.
    """
    leaves = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    steps = _steps_of(network)
    if steps is None or not steps.take(leaves):
        return network(inputs, **kwargs)
    return steps(inputs, **kwargs)


def _steps_of(network):
    """The steps of a network, made once, or `None` if it must be called."""
    if network._forward_hooks or network._forward_pre_hooks:
        return None
    graph = network
    if type(network) is keras.Sequential:
        # Another one as soon as the model grows.
        graph = network._functional
    if not _is_graph(graph):
        return None
    if graph not in _steps:
        _steps[graph] = _Steps(graph, network.name)
    return _steps[graph]


def _is_graph(network):
    """Whether to call this is to go through its nodes."""
    kind = _functional()
    return (
        isinstance(network, kind)
        and type(network).__call__ is kind.__call__
        and type(network).call is kind.call
        and "call" not in vars(network)
        and isinstance(network.input, keras.KerasTensor | list)
        and isinstance(network.output, keras.KerasTensor | list)
    )


class _Steps(keras.Layer):
    """The nodes of a functional model, one after the other.

    A layer, since its call is what opens the scope of the policy and tells
    layers further inside whether this is training, as the model's own does.
    """

    def __init__(self, model, name):
        # It holds the layers, so that the losses of their last call are
        # cleared, but not the model, which could not be freed then.
        super().__init__(dtype=model.dtype_policy, name=name)
        _require_masks()
        self.parts = model.layers
        self._inputs, self._outputs = model.inputs, model.outputs
        self._several = isinstance(model.output, list)
        self._nodes = [
            _Node(node, self.dtype_policy)
            for _, nodes in sorted(model._nodes_by_depth.items(), reverse=True)
            for node in nodes
            if not node.is_input
        ]
        self.built = True

    def take(self, tensors):
        """Whether these need not be changed to go into the model."""
        return len(tensors) == len(self._inputs) and all(
            isinstance(x, torch.Tensor)
            and keras.backend.standardize_dtype(x.dtype) == own.dtype
            and len(x.shape) == len(own.shape)
            and all(map(_fits, x.shape, own.shape))
            for x, own in zip(tensors, self._inputs, strict=True)
        )

    def call(self, inputs, training=None):
        inputs = keras.tree.flatten(inputs)
        values = dict(zip(map(id, self._inputs), inputs, strict=True))
        for node in self._nodes:
            node.run(values, training)
        results = [values[id(x)] for x in self._outputs]
        return results if self._several else results[0]


class _Node:
    """One call of an operation in a graph.

    Args:
        node: Keras' node.
        policy: The dtype policy of the model.
    """

    def __init__(self, node, policy):
        self._operation, self._arguments = node.operation, node.arguments
        self._results = list(map(id, node.outputs))
        self._source, self._modal = None, False
        layer, source = node.operation, self._arguments.args[:1]
        if (
            isinstance(layer, keras.Layer)
            and len(self._arguments.args) == len(self._results) == 1
            and set(self._arguments.kwargs) <= {"training"}
            and isinstance(source[0], keras.KerasTensor)
            and type(layer).__call__ is keras.Layer.__call__
            and type(layer).compute_mask is keras.Layer.compute_mask
            and (
                layer.autocast or policy.compute_dtype == policy.variable_dtype
            )
            and layer.compute_dtype == policy.compute_dtype
            and layer.variable_dtype == policy.variable_dtype
            and layer._call_context_args == {"training"}
        ):
            self._source = id(source[0])
            self._modal = "training" in inspect.signature(layer.call).parameters

    def run(self, values, training):
        """Adds what comes out to the values, by the ids of their tensors."""
        if self._source is not None:
            x = values[self._source]
            if not hasattr(x, "_keras_mask"):
                told = dict(self._arguments.kwargs)
                if self._modal and training is not None:
                    told["training"] = training
                values[self._results[0]] = call(self._operation, x, **told)
                return
        args, kwargs = self._arguments.fill_in(values)
        if isinstance(self._operation, keras.Layer) and training is not None:
            kwargs = {**kwargs, "training": training}
        results = keras.tree.flatten(self._operation(*args, **kwargs))
        values.update(zip(self._results, results, strict=True))


def _fits(size, allowed):
    return allowed is None or size == allowed


@functools.cache
def _require_masks():
    """A mask by another name would be passed over below, in silence."""
    masked = keras.layers.Masking(name="probe")(torch.ones((1, 1, 1)))
    keras_names.require(masked, "_keras_mask")


@functools.cache
def _functional():
    """The class of functional models, which Keras does not name in public."""
    x = keras.Input((1,))
    return type(keras.Model(x, x))
