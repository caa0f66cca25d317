// Each part of the core registers its functions with the one extension module.
#pragma once

#include <pybind11/numpy.h>

// Views into packed records and raw bytes may not be, and then can't be read in place.
inline bool is_aligned(const pybind11::array& array) { return array.attr("flags").attr("aligned").cast<bool>(); }

void bind_chamfer(pybind11::module_& m);
void bind_kmedoids(pybind11::module_& m);
