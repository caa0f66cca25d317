"""The native core. Its functions take and return plain numpy buffers; see `_core.pyi`."""
