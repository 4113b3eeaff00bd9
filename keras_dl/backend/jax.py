"""The JAX adapter: gradients by tracing pure functions of tensors.

Writes to Keras variables inside a differentiated function are collected by a
`Scope`, leave `jax.value_and_grad` as auxiliary outputs, and are assigned
again outside, so nothing that is traced leaks.
"""

import functools
import warnings

import jax
import keras

from keras_dl.backend import loops
from keras_dl.backend.nesting import depth, differentiated
from keras_dl.backend.scope import Reading, Scope, assign, substituted

name = "jax"


def scan(step, carry, xs, reverse=False):
    """`jax.lax.scan`: `step(carry, x) -> (carry, y)` over the first axis."""
    return jax.lax.scan(step, carry, xs, reverse=reverse)


def _many_rows(x):
    """Where, on CPU, a product for all steps is no faster than one a step.

    The loop then reads the inputs, a quarter of what their projections are.
    """
    return x.shape[0] >= 128 and jax.default_backend() == "cpu"


lstm, gru = loops.make(scan, jax.jit, jax.jit, in_loop=_many_rows)


def value_and_gradients(fn, tensors):
    """Evaluates `fn(tensors) -> (value, aux)` and d value / d tensors.

    Returns:
        `((value, aux), gradients)`; a gradient is `None` where `value` does
        not depend on the tensor.
    """
    connected = set()
    written = []

    def pure(tensors):
        tagged = [
            _tell_when_reached(tensor, connected, key)
            for key, tensor in enumerate(tensors)
        ]
        with Scope() as scope:
            value, aux = fn(tagged)
        written[:] = [variable for variable, _ in scope.writes()]
        return value, (aux, [value for _, value in scope.writes()])

    with differentiated():
        (value, (aux, values)), gradients = jax.value_and_grad(
            pure, has_aux=True
        )(tensors)
    assign(zip(written, values, strict=True))
    gradients = [
        gradient if key in connected else None
        for key, gradient in enumerate(gradients)
    ]
    return (value, aux), gradients


def variable_gradients(fn, variables):
    """Like `value_and_gradients`, of `fn()` by the variables that it reads."""

    def of_values(values):
        with substituted(zip(variables, values, strict=True)):
            return fn()

    return value_and_gradients(of_values, [v.value for v in variables])


def _tell_when_reached(tensor, connected, key):
    """The identity, which notes `key` when a gradient flows back through it.

    JAX gives zeros for what is not connected; this tells such zeros from
    real ones, while tracing and at no cost when the function runs.
    """

    @jax.custom_vjp
    def identity(tensor):
        return tensor

    def backward(_, cotangent):
        connected.add(key)
        return (cotangent,)

    identity.defvjp(lambda tensor: (tensor, None), backward)
    return identity(tensor)


def compiled(function, variables=()):
    """By `jax.jit`, with the variables that it reads as further arguments.

    Tracing tells which they are. Where there is one that was not known before,
    the trace is given up, and begins anew with all of them.
    """
    known = {id(variable): variable for variable in variables}

    @functools.cache
    def program(nesting):
        """What is traced depends on how often it is differentiated."""

        @jax.jit
        def pure(values, *args):
            keys = list(known)[: len(values)]
            pairs = zip(map(known.get, keys), values, strict=True)
            with Reading(pairs) as scope:
                before = {key: scope.state_mapping[key] for key in keys}
                result = function(*args)
            found = {**scope.read, **{id(v): v for v, _ in scope.writes()}}
            if not found.keys() <= before.keys():
                new = found.keys() - before.keys()
                known.update(found)
                raise _MoreVariables([found[key].path for key in new])
            after = [scope.state_mapping[key] for key in keys]
            return result, {
                number: value
                for number, value in enumerate(after)
                if value is not before[keys[number]]
            }

        return pure

    def run(*args):
        for _ in range(2):
            variables = list(known.values())
            values = [variable.value for variable in variables]
            try:
                result, written = program(depth())(values, *args)
            except _MoreVariables as error:
                new = error.args[0]
                continue
            assign((variables[i], value) for i, value in written.items())
            return result
        # All that there were are known by the second time.
        raise ValueError(
            "A compiled function cannot make variables: build its layers "
            f"before. It makes: {new}."
        )

    return run


class _MoreVariables(Exception):
    """A trace has read variables that were not among its arguments."""


def at_once(function, variables=()):
    """One program: it is compiled sooner than each of its operations."""
    return compiled(function, variables)


def compiled_loop(body, variables=()):
    """`while now[0]: now = body(*now)`, compiled as a whole."""

    def loop(*start):
        return jax.lax.while_loop(
            lambda now: now[0], lambda now: body(*now), start
        )

    return compiled(loop, variables)


def forget_compiled():
    """Frees the programs that JAX keeps of functions that are gone, too."""
    jax.clear_caches()


def write_at(whole, part, index):
    """`whole`, `(batch, time, ...)`, with `part` written from step `index`."""
    return jax.lax.dynamic_update_slice_in_dim(whole, part, index, axis=1)


def exchange_rows(variable, index, change):
    """By a gather and a scatter; all is written on CPU."""
    value = variable.value
    old = value[index]
    variable.assign(value.at[index].set(change(old)))
    return old


def fused_attention(dtype):
    """`attend(q, k, v, mask)`, heads on axis 2, or `None`.

    XLA has no half-precision product of the kind that it needs on CPU.
    """
    if dtype == "float16" and jax.default_backend() == "cpu":
        return None
    return keras.ops.dot_product_attention


def linear(x, kernel, bias=None):
    """`x kernel + bias`, as a product of matrices.

    XLA adds the bias in the same pass. But of more than two axes it makes
    slower products on CPU, above all in the gradients.
    """
    rows = keras.ops.matmul(x.reshape(-1, x.shape[-1]), kernel)
    if bias is not None:
        rows = rows + bias
    return rows.reshape(*x.shape[:-1], kernel.shape[1])


def apply_gradients(optimizer, gradients, variables):
    """Applies `gradients` to `variables` by `optimizer`."""
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.apply(gradients, variables)
        return
    # A loss scale optimizer decides inside `lax.cond`, which must not write
    # to variables: use its stateless form, over all of its variables.
    by_id = dict(zip(map(id, variables), gradients, strict=True))
    trainable = optimizer._trainable_variables
    with warnings.catch_warnings():
        if len(by_id) < len(trainable):
            # Those left out on purpose count as "no gradient" there.
            warnings.filterwarnings("ignore", "Gradients do not exist")
        new_trainable, new_state = optimizer.stateless_apply(
            [v.value for v in optimizer.variables],
            [by_id.get(id(v)) for v in trainable],
            [v.value for v in trainable],
        )
    assign(zip(trainable, new_trainable, strict=True))
    assign(zip(optimizer.variables, new_state, strict=True))


def run_if(condition, function, variables):
    """Runs `function()`, which writes to `variables`, if a condition holds.

    It is run in any case, which costs no more than a choice between results.
    """
    before = [variable.value for variable in variables]
    function()
    for variable, old in zip(variables, before, strict=True):
        variable.assign(keras.ops.where(condition, variable.value, old))


def run_step(trainer, step, state, data):
    """Runs the stateful `step(data)` as Keras' JAX trainer expects it."""
    with Scope(_pairs(trainer, state)) as scope:
        logs = step(data)
    state = tuple(
        [scope.get_current_value(v) for v in variables]
        for variables in _groups(trainer, state)
    )
    return logs, state


def restore_on_error(trainer, function, check=None):
    """Makes `function(state, iterator)` keep the model when it fails.

    Keras moves the values out of the variables while it trains; an error in
    a step would leave the model without them. They are put back, unless the
    step had begun to run and gave up its inputs. `check(logs)` may raise too.
    """

    def guarded(state, iterator):
        try:
            logs, new_state = function(state, iterator)
        except BaseException:
            if not any(v.is_deleted() for group in state for v in group):
                assign(_pairs(trainer, state))
            raise
        if check is not None:
            try:
                check(logs)
            except Exception:  # Wrong logs must not lose what was trained.
                assign(_pairs(trainer, new_state))
                raise
        return logs, new_state

    return guarded


def _pairs(trainer, state):
    return [
        pair
        for variables, values in zip(
            _groups(trainer, state), state, strict=True
        )
        for pair in zip(variables, values, strict=True)
    ]


def _groups(trainer, state):
    """The variables whose values make up `state`, in Keras' order.

    The optimizer's are part of it in training alone, metrics' not in
    prediction.
    """
    groups = [trainer.trainable_variables, trainer.non_trainable_variables]
    if len(state) == 4:
        groups.append(trainer.optimizer.variables)
    if len(state) > 2:
        groups.append(trainer.metrics_variables)
    return groups
