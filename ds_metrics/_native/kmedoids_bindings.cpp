#include "bindings.hpp"
#include "kmedoids.hpp"
#include "kmedoids_resample.hpp"

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

// The matrix and its canonical order, checked.
class Problem {
public:
    Problem(const Matrix& matrix, const IndexArray& order)
        : order_(order.data(), order.data() + order.size()),
          position_(order_.size(), -1),
          distances_(matrix.data(), order_, position_) {
        const Index size = size_of(matrix);
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

    Indices check_medoids(const IndexArray& indices) const {
        Indices medoids(indices.data(), indices.data() + indices.size());
        std::vector<bool> seen(order_.size(), false);
        for (const Index medoid : medoids) {
            if (medoid < 0 || medoid >= distances_.size() || seen[medoid]) {
                throw std::invalid_argument("medoids are not distinct sample indices");
            }
            seen[medoid] = true;
        }
        if (medoids.empty()) throw std::invalid_argument("no medoids");
        return medoids;
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
                 std::uint64_t seed, int n_init, int max_iter, int passes, int threads) {
    const Problem problem(matrix, order);
    problem.check_n_clusters(n_clusters, 1);
    if (n_init < 1) throw std::invalid_argument("n_init must be positive");
    if (threads < 1) throw std::invalid_argument("threads must be positive");
    const Solver kind = solver_from(solver);
    Indices medoids;
    {
        py::gil_scoped_release release;
        medoids = kmedoids::solve(problem.distances(), n_clusters, kind, seed, n_init, max_iter, passes, threads);
    }
    return to_array(medoids);
}

IndexArray refine(const Matrix& matrix, const IndexArray& order, const IndexArray& medoids, const std::string& solver,
                  int max_iter) {
    const Problem problem(matrix, order);
    const Solver kind = solver_from(solver);
    Indices found = problem.check_medoids(medoids);
    {
        py::gil_scoped_release release;
        found = kmedoids::refine(problem.distances(), std::move(found), kind, max_iter);
    }
    return to_array(found);
}

IndexArray extend(const Matrix& matrix, const IndexArray& order, const IndexArray& medoids, Index n_clusters) {
    const Problem problem(matrix, order);
    Indices found = problem.check_medoids(medoids);
    problem.check_n_clusters(n_clusters, static_cast<Index>(found.size()));
    {
        py::gil_scoped_release release;
        found = kmedoids::extend(problem.distances(), found, n_clusters);
    }
    return to_array(found);
}

IndexArray grow(const Matrix& matrix, const IndexArray& order, const IndexArray& medoids, Index n_clusters, int max_iter,
                int passes, std::uint64_t seed) {
    const Problem problem(matrix, order);
    Indices found = problem.check_medoids(medoids);
    problem.check_n_clusters(n_clusters, static_cast<Index>(found.size()));
    {
        py::gil_scoped_release release;
        found = kmedoids::grow(problem.distances(), std::move(found), n_clusters, max_iter, passes, kmedoids::Random(seed, 0));
    }
    return to_array(found);
}

py::tuple assign(const Matrix& matrix, const IndexArray& order, const IndexArray& medoids) {
    const Problem problem(matrix, order);
    const Indices found = problem.check_medoids(medoids);
    Indices labels(problem.distances().extent());
    double inertia = 0.0;
    {
        py::gil_scoped_release release;
        const auto assignment = kmedoids::assign(problem.distances(), found);
        std::copy(assignment.nearest.begin(), assignment.nearest.end(), labels.begin());
        inertia = kmedoids::inertia_of(problem.distances(), assignment);
    }
    return py::make_tuple(to_array(labels), inertia);
}

py::array_t<double> resample(const Matrix& matrix, const IndexArray& order, const IndexArray& medoids, Index left_out,
                             Index count, std::uint64_t seed, int max_iter, int threads) {
    const Problem problem(matrix, order);
    const Indices found = problem.check_medoids(medoids);
    const Index spare = problem.distances().size() - static_cast<Index>(found.size());
    if (left_out < 0 || left_out > spare) throw std::invalid_argument("left_out out of range");
    if (count < 0) throw std::invalid_argument("count must not be negative");
    if (threads < 1) throw std::invalid_argument("threads must be positive");
    std::vector<double> scores;
    {
        py::gil_scoped_release release;
        scores = kmedoids::resample(problem.distances(), found, left_out, count, seed, max_iter, threads);
    }
    return py::array_t<double>(static_cast<py::ssize_t>(scores.size()), scores.data());
}

}  // namespace

void bind_kmedoids(py::module_& m) {
    using py::arg;
    // noconvert: a matrix that had to be copied to be read is a mistake of the caller, not a silent cost.
    const auto matrix = arg("distances").noconvert();
    m.def("kmedoids_order", &canonical_order, matrix);
    m.def("kmedoids_solve", &solve, matrix, arg("order"), arg("n_clusters"), arg("solver"), arg("seed"), arg("n_init"),
          arg("max_iter"), arg("passes") = 0, arg("threads") = 1);
    m.def("kmedoids_refine", &refine, matrix, arg("order"), arg("medoids"), arg("solver"), arg("max_iter"));
    m.def("kmedoids_extend", &extend, matrix, arg("order"), arg("medoids"), arg("n_clusters"));
    m.def("kmedoids_grow", &grow, matrix, arg("order"), arg("medoids"), arg("n_clusters"), arg("max_iter"),
          arg("passes"), arg("seed"));
    m.def("kmedoids_resample", &resample, matrix, arg("order"), arg("medoids"), arg("left_out"), arg("count"),
          arg("seed"), arg("max_iter"), arg("threads"));
    m.def("kmedoids_assign", &assign, matrix, arg("order"), arg("medoids"));
}
