#include "bindings.hpp"
#include "kmedoids.hpp"

#include <pybind11/numpy.h>
#include <stdexcept>
#include <string>

namespace py = pybind11;

namespace {

using kmedoids::Distances;
using kmedoids::Index;
using kmedoids::Indices;
using kmedoids::Solver;

using Matrix = py::array_t<float, py::array::c_style>;
using IndexArray = py::array_t<Index, py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_>;

Solver solver_from(const std::string& name) {
    if (name == "alternate") return Solver::kAlternate;
    if (name == "fasterpam") return Solver::kFasterPAM;
    throw std::invalid_argument("Unknown solver: " + name);
}

Index size_of(const Matrix& matrix) {
    if (matrix.ndim() != 2 || matrix.shape(0) != matrix.shape(1)) throw std::invalid_argument("Not a square matrix");
    if (!is_aligned(matrix)) throw std::invalid_argument("distances are not aligned in memory");
    return matrix.shape(0);
}

IndexArray to_array(const Indices& indices) { return IndexArray(static_cast<py::ssize_t>(indices.size()), indices.data()); }

// The matrix in canonical order, and the two ways between original indices and positions in that order.
class Problem {
public:
    Problem(const Matrix& matrix, const IndexArray& order)
        : order_(order.data(), order.data() + order.size()),
          position_(order_.size(), -1),
          distances_(matrix.data(), order_.data(), size_of(matrix)) {
        const Index size = distances_.size();
        if (order.size() != size) throw std::invalid_argument("order and distances differ in length");
        for (Index i = 0; i < size; ++i) {
            if (order_[i] < 0 || order_[i] >= size || position_[order_[i]] >= 0) {
                throw std::invalid_argument("order is not a permutation");
            }
            position_[order_[i]] = i;
        }
    }

    Problem(const Problem&) = delete;
    Problem& operator=(const Problem&) = delete;

    const Distances& distances() const { return distances_; }

    Indices to_positions(const IndexArray& indices) const {
        Indices positions(indices.data(), indices.data() + indices.size());
        std::vector<bool> seen(order_.size(), false);
        for (Index& entry : positions) {
            if (entry < 0 || entry >= distances_.size() || seen[entry]) {
                throw std::invalid_argument("medoids are not distinct sample indices");
            }
            seen[entry] = true;
            entry = position_[entry];
        }
        if (positions.empty()) throw std::invalid_argument("no medoids");
        return positions;
    }

    Index to_original(Index position) const { return order_[position]; }

    Indices to_originals(Indices positions) const {
        for (Index& entry : positions) entry = order_[entry];
        return positions;
    }

    void check_n_clusters(Index n_clusters, Index least) const {
        if (n_clusters < least || n_clusters > distances_.size()) throw std::invalid_argument("n_clusters out of range");
    }

private:
    Indices order_;
    Indices position_;
    Distances distances_;
};

IndexArray canonical_order(const Matrix& matrix) {
    const Index size = size_of(matrix);
    Indices order;
    {
        py::gil_scoped_release release;
        order = kmedoids::canonical_order(matrix.data(), size);
    }
    return to_array(order);
}

IndexArray solve(const Matrix& matrix, const IndexArray& order, Index n_clusters, const std::string& solver,
                 std::uint64_t seed, int n_init, int max_iter) {
    const Problem problem(matrix, order);
    problem.check_n_clusters(n_clusters, 1);
    if (n_init < 1) throw std::invalid_argument("n_init must be positive");
    const Solver kind = solver_from(solver);
    Indices medoids;
    {
        py::gil_scoped_release release;
        medoids = kmedoids::solve(problem.distances(), n_clusters, kind, seed, n_init, max_iter);
    }
    return to_array(problem.to_originals(std::move(medoids)));
}

IndexArray refine(const Matrix& matrix, const IndexArray& order, const IndexArray& medoids, const std::string& solver,
                  int max_iter) {
    const Problem problem(matrix, order);
    const Solver kind = solver_from(solver);
    Indices positions = problem.to_positions(medoids);
    {
        py::gil_scoped_release release;
        positions = kmedoids::refine(problem.distances(), std::move(positions), kind, max_iter);
    }
    return to_array(problem.to_originals(std::move(positions)));
}

IndexArray extend(const Matrix& matrix, const IndexArray& order, const IndexArray& medoids, Index n_clusters) {
    const Problem problem(matrix, order);
    Indices positions = problem.to_positions(medoids);
    problem.check_n_clusters(n_clusters, static_cast<Index>(positions.size()));
    {
        py::gil_scoped_release release;
        positions = kmedoids::extend(problem.distances(), positions, n_clusters);
    }
    return to_array(problem.to_originals(std::move(positions)));
}

py::tuple assign(const Matrix& matrix, const IndexArray& order, const IndexArray& medoids) {
    const Problem problem(matrix, order);
    const Indices positions = problem.to_positions(medoids);
    Indices labels(problem.distances().size());
    double inertia = 0.0;
    {
        py::gil_scoped_release release;
        const auto assignment = kmedoids::assign(problem.distances(), positions);
        for (Index i = 0; i < problem.distances().size(); ++i) labels[problem.to_original(i)] = assignment.nearest[i];
        inertia = assignment.inertia();
    }
    return py::make_tuple(to_array(labels), inertia);
}

}  // namespace

void bind_kmedoids(py::module_& m) {
    using py::arg;
    // noconvert: a matrix that had to be copied to be read is a mistake of the caller, not a silent cost.
    const auto matrix = arg("distances").noconvert();
    m.def("kmedoids_order", &canonical_order, matrix);
    m.def("kmedoids_solve", &solve, matrix, arg("order"), arg("n_clusters"), arg("solver"), arg("seed"), arg("n_init"),
          arg("max_iter"));
    m.def("kmedoids_refine", &refine, matrix, arg("order"), arg("medoids"), arg("solver"), arg("max_iter"));
    m.def("kmedoids_extend", &extend, matrix, arg("order"), arg("medoids"), arg("n_clusters"));
    m.def("kmedoids_assign", &assign, matrix, arg("order"), arg("medoids"));
}
