// Each part of the core registers its functions with the one extension module.
#pragma once

#include <pybind11/pybind11.h>

void bind_chamfer(pybind11::module_& m);
void bind_kmedoids(pybind11::module_& m);
