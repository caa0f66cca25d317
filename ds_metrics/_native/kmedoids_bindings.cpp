#include "bindings.hpp"

void bind_kmedoids(pybind11::module_&) {}
