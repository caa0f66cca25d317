#include "bindings.hpp"

PYBIND11_MODULE(_core, m) {
    m.doc() = "Native core of ds_metrics: Chamfer distances and k-medoids on plain buffers.";
    bind_chamfer(m);
    bind_kmedoids(m);
}
