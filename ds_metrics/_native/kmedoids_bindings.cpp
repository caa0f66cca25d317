// k-medoids for Python: distance matrices in, medoids by their original index out.
#include "bindings.hpp"
#include "kmedoids_alternate.hpp"
#include "kmedoids_fasterpam.hpp"
#include "kmedoids_order.hpp"
#include "kmedoids_seeding.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>

namespace py = pybind11;
using namespace kmedoids;

namespace {

using Matrix = py::array_t<float, py::array::c_style>;
using IndexArray = py::array_t<Index, py::array::c_style>;

Index size_of(const Matrix& distances) {
    if (distances.ndim() != 2 || distances.shape(0) != distances.shape(1))
        throw std::invalid_argument("Argument `distances` must be square");
    return distances.shape(0);
}

Indices to_indices(const IndexArray& array, Index size, const char* name) {
    Indices out(array.data(), array.data() + array.size());
    for (const Index value : out)
        if (value < 0 || value >= size)
            throw std::out_of_range(std::string("Argument `") + name + "` must index the samples");
    return out;
}

IndexArray to_array(const Indices& indices) {
    return IndexArray(static_cast<py::ssize_t>(indices.size()), indices.data());
}

Indices positions_of(const Indices& order, const Indices& samples) {
    Indices position(order.size());
    for (std::size_t p = 0; p < order.size(); ++p) position[order[p]] = static_cast<Index>(p);
    Indices out;
    for (const Index sample : samples) out.push_back(position[sample]);
    return out;
}

Indices improve(const Distances& distances, Indices medoids, bool swaps, int max_iter) {
    if (!swaps) return alternate(distances, std::move(medoids), max_iter);
    if (medoids.size() == 1) {
        Indices everyone(distances.size());
        std::iota(everyone.begin(), everyone.end(), Index{0});
        return {medoid_of(distances, everyone, medoids[0])};
    }
    return FasterPAM(distances, std::move(medoids)).run(max_iter);
}

struct Solution {
    Indices medoids;
    double inertia = std::numeric_limits<double>::infinity();

    void keep_better(const Distances& distances, const Indices& candidate) {
        const double other = assign(distances, candidate).inertia();
        if (other < inertia || medoids.empty()) *this = {candidate, other};
    }
};

IndexArray py_canonical_order(const Matrix& distances) {
    const Index size = size_of(distances);
    Indices order;
    {
        py::gil_scoped_release release;
        order = canonical_order(distances.data(), size);
    }
    return to_array(order);
}

// Best of several starts. FasterPAM's first start is an alternate solution, so that it never ends above that.
IndexArray py_solve(const Matrix& matrix, const IndexArray& order_array, Index n_clusters, bool swaps,
                    std::uint64_t seed, int n_init, const IndexArray& init, int max_iter) {
    const Index size = size_of(matrix);
    Indices order = to_indices(order_array, size, "order");
    const Indices given = to_indices(init, size, "init");
    if (static_cast<Index>(order.size()) != size || n_clusters < 1 || n_clusters > size || n_init < 1)
        throw std::invalid_argument("Arguments of `solve` must fit the matrix");
    Solution best;
    {
        py::gil_scoped_release release;
        const Distances distances(matrix.data(), order.data(), size);
        if (!given.empty()) {
            best.keep_better(distances, improve(distances, positions_of(order, given), swaps, max_iter));
        } else {
            for (int start = 0; start < n_init; ++start) {
                Random random(seed, static_cast<std::uint64_t>(start));
                Indices medoids = plus_plus(distances, n_clusters, random);
                if (swaps && start == 0) medoids = alternate(distances, std::move(medoids), max_iter);
                best.keep_better(distances, improve(distances, std::move(medoids), swaps, max_iter));
            }
        }
        for (Index& medoid : best.medoids) medoid = order[medoid];
    }
    return to_array(best.medoids);
}

IndexArray py_extend(const Matrix& matrix, const IndexArray& order_array, const IndexArray& medoids, Index n_clusters) {
    const Index size = size_of(matrix);
    const Indices order = to_indices(order_array, size, "order");
    const Indices given = to_indices(medoids, size, "medoids");
    if (static_cast<Index>(order.size()) != size || given.empty() || n_clusters > size)
        throw std::invalid_argument("Arguments of `extend` must fit the matrix");
    Indices out;
    {
        py::gil_scoped_release release;
        const Distances distances(matrix.data(), order.data(), size);
        out = extend(distances, positions_of(order, given), n_clusters);
        for (Index& medoid : out) medoid = order[medoid];
    }
    return to_array(out);
}

// Labels in the order of `medoids`, and the inertia.
py::tuple py_assign(const Matrix& matrix, const IndexArray& order_array, const IndexArray& medoids) {
    const Index size = size_of(matrix);
    const Indices order = to_indices(order_array, size, "order");
    const Indices given = to_indices(medoids, size, "medoids");
    if (static_cast<Index>(order.size()) != size || given.empty())
        throw std::invalid_argument("Arguments of `assign` must fit the matrix");
    Indices labels(size);
    double inertia = 0.0;
    {
        py::gil_scoped_release release;
        const Distances distances(matrix.data(), order.data(), size);
        const Assignment assignment = assign(distances, positions_of(order, given));
        for (Index p = 0; p < size; ++p) labels[order[p]] = assignment.nearest[p];
        inertia = assignment.inertia();
    }
    return py::make_tuple(to_array(labels), inertia);
}

}  // namespace

void bind_kmedoids(py::module_& m) {
    using namespace py::literals;
    m.def("canonical_order", &py_canonical_order, py::arg("distances").noconvert());
    m.def("solve", &py_solve, py::arg("distances").noconvert(), "order"_a, "n_clusters"_a, "swaps"_a, "seed"_a,
          "n_init"_a, "init"_a, "max_iter"_a);
    m.def("extend", &py_extend, py::arg("distances").noconvert(), "order"_a, "medoids"_a, "n_clusters"_a);
    m.def("assign", &py_assign, py::arg("distances").noconvert(), "order"_a, "medoids"_a);
}
