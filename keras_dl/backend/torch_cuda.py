"""Programs as graphs of CUDA, which start their kernels all at once.

Untried: written where no GPU was at hand, and off unless asked for.
"""

import torch

from keras_dl.backend.torch_program import MISS


def captured(program, tensors):
    """A program as a CUDA graph; itself where that cannot be.

    A graph draws no random numbers anew and tells Python no values; it reads
    its inputs, as it does variables, from the memory that it was captured with.

    Args:
        program: A `Program` that has run before.
        tensors: Its inputs.
    """
    on_gpu = tensors and all(tensor.is_cuda for tensor in tensors)
    if not on_gpu or not program.is_deterministic:
        return program
    return _Captured(program, tensors)


class _Captured:
    def __init__(self, program, tensors):
        self._inputs = [tensor.clone() for tensor in tensors]
        self._graph = torch.cuda.CUDAGraph()
        # Capturing runs nothing: variables stay as they are.
        with torch.cuda.graph(self._graph):
            self._outputs = program(self._inputs)
        if self._outputs is MISS:
            raise RuntimeError("A captured program has looked at values.")

    def __call__(self, tensors):
        for own, tensor in zip(self._inputs, tensors, strict=True):
            own.copy_(tensor)
        self._graph.replay()
        return [
            x.clone() if isinstance(x, torch.Tensor) else x
            for x in self._outputs
        ]
