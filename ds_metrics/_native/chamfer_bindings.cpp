#include "bindings.hpp"

void bind_chamfer(pybind11::module_&) {}
