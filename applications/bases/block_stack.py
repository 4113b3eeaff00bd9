"""Encoders whose blocks stand in one list, and may become fewer."""

import numbers

from keras_dl.models import Encoder

_BY_BLOCK = ("num_heads", "intermediate_dim")


class BlockStack(Encoder):
    """An encoder with `blocks`, of which there are `num_layers`."""

    def remove_blocks(self, layers):
        """Removes blocks for good: see `keras_dl.compression.remove_layers`."""
        kept = self._kept_blocks(layers)
        for i in reversed(range(self.num_layers)):
            if i not in kept:
                del self.blocks[i]
        for name in _BY_BLOCK:
            sizes = getattr(self, name)
            if isinstance(sizes, (list, tuple)):
                setattr(self, name, tuple(sizes[i] for i in kept))
        self.num_layers = len(kept)
        self._renumber("blocks", kept)
        self._post_build()

    def _kept_blocks(self, gone):
        """The numbers of the blocks that stay."""
        gone, number = sorted(set(gone)), self.num_layers
        if len(set(map(id, self.blocks))) < number:
            raise ValueError(
                f"Layers of {self.name!r} share blocks: remove layers before "
                "they are shared."
            )
        whole = all(isinstance(i, numbers.Integral) for i in gone)
        if not whole or any(not 0 <= i < number for i in gone):
            raise ValueError(
                f"`layers` must hold integers from 0 to {number - 1} for "
                f"{self.name!r}. Received: {gone}."
            )
        if len(gone) == number:
            raise ValueError(
                f"`layers` must leave one of the {number} of {self.name!r}, at "
                f"least. Received: {gone}."
            )
        return [i for i in range(number) if i not in gone]

    def _renumber(self, name, kept):
        """Keeps the record of replaced layers true of a shorter list."""
        before = dict(self.replaced)
        self.replaced.clear()
        for path, layer in before.items():
            head, _, rest = path.partition("/")
            if head != name:
                self.replaced[path] = layer
                continue
            number, *below = rest.split("/")
            if int(number) in kept:
                place = str(kept.index(int(number)))
                self.replaced["/".join((name, place, *below))] = layer
