"""What a layer that stands in for one of Keras' owes to `quantize`."""


class StandsIn:
    """A layer that computes what a class of Keras does, in another way.

    Keras quantizes no class that extends one of its own: it might compute
    something else. One that names this class first among its bases says that
    it does not, and is quantized as Keras' own; a quantized layer is run by
    Keras' code. A class that extends it is refused again, as Keras does.
    """

    def quantize(self, mode=None, type_check=True, config=None):
        """As the class of Keras."""
        theirs = StandsIn in type(self).__bases__
        super().quantize(mode, type_check and not theirs, config)
