"""What Kaolin can do on a GPU alone."""


def refuse(name):
    """A function that raises what Kaolin's extensions raise without CUDA."""

    def function(*tensors, **named):
        raise RuntimeError(f"{name}: expected a CUDA tensor; Kaolin was not built with CUDA support")

    return function
