// Nearest points and Chamfer distances for Python: plain buffers in and out, the GIL released in between.
#include "bindings.hpp"
#include "clouds.hpp"
#include "parallel.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <variant>

namespace py = pybind11;
using clouds::Cloud;
using clouds::Kernel;

namespace {

template <class Scalar>
using Points = py::array_t<Scalar, py::array::c_style>;
using Indices = py::array_t<std::int64_t, py::array::c_style>;

std::vector<const Kernel*> supported_kernels() {
    std::vector<const Kernel*> kernels{&clouds::portable_kernel()};
#if defined(__x86_64__)
    for (const Kernel* kernel : {&clouds::avx2_kernel(), &clouds::avx512_kernel()})
        if (kernel->supported()) kernels.insert(kernels.begin(), kernel);
#endif
    return kernels;
}

const Kernel& select(const std::string& isa) {
    const auto kernels = supported_kernels();
    std::string names;
    for (const Kernel* kernel : kernels) {
        if (isa == "auto" || isa == kernel->name) return *kernel;
        names += std::string(" '") + kernel->name + "'";
    }
    throw std::invalid_argument("Argument `isa` must be 'auto' or supported here (" + names.substr(1) + "), but got '" +
                                isa + "'");
}

std::size_t check_threads(int threads) {
    if (threads < 1) throw std::invalid_argument("Argument `threads` must be at least 1, but got " + std::to_string(threads));
    return static_cast<std::size_t>(threads);
}

// Clouds of one precision, each prepared once.
class CloudSet {
public:
    CloudSet(const py::array& points, const Indices& lengths, int threads) {
        if (py::isinstance<Points<float>>(points))
            prepare(py::cast<Points<float>>(points), lengths, check_threads(threads));
        else if (py::isinstance<Points<double>>(points))
            prepare(py::cast<Points<double>>(points), lengths, check_threads(threads));
        else
            throw py::type_error("Argument `points` must be C-contiguous float32 or float64");
    }

    std::size_t size() const {
        return std::visit([](const auto& all) { return all.size(); }, clouds_);
    }

    template <class Scalar>
    const std::vector<Cloud<Scalar>>& get() const { return std::get<std::vector<Cloud<Scalar>>>(clouds_); }

    // Calls work(x, y) with the clouds of both in their precision.
    template <class Work>
    friend void with_clouds(const CloudSet& x, const CloudSet& y, const Work& work) {
        if (x.clouds_.index() != y.clouds_.index())
            throw py::type_error("Arguments `x` and `y` must have the same precision");
        std::visit([&](const auto& all) { work(all, std::get<std::decay_t<decltype(all)>>(y.clouds_)); }, x.clouds_);
    }

private:
    template <class Scalar>
    void prepare(const Points<Scalar>& points, const Indices& lengths, std::size_t threads) {
        if (points.ndim() != 2 || points.shape(1) != 3)
            throw std::invalid_argument("Argument `points` must have shape (T, 3)");
        std::vector<std::size_t> starts{0};
        for (py::ssize_t b = 0; b < lengths.size(); ++b) {
            const std::int64_t length = lengths.data()[b];
            if (length < 1 || length > points.shape(0))
                throw std::invalid_argument("Argument `lengths` must be between 1 and the number of points, but got " +
                                            std::to_string(length));
            starts.push_back(starts.back() + static_cast<std::size_t>(length));
        }
        if (starts.back() != static_cast<std::size_t>(points.shape(0)))
            throw std::invalid_argument("Argument `lengths` must sum to the number of points " +
                                        std::to_string(points.shape(0)) + ", but got " + std::to_string(starts.back()));
        const Scalar* data = points.data();
        std::vector<Cloud<Scalar>> all(starts.size() - 1, Cloud<Scalar>());
        {
            py::gil_scoped_release release;
            parallel_for(all.size(), threads, [&](std::size_t b) {
                all[b] = Cloud<Scalar>(data + 3 * starts[b], starts[b + 1] - starts[b]);
            });
        }
        clouds_ = std::move(all);
    }

    std::variant<std::vector<Cloud<float>>, std::vector<Cloud<double>>> clouds_;
};

// Mean distance of the points of one cloud to the nearest of another. Always summed in the canonical order.
template <class Scalar>
double mean_distance(const Kernel& kernel, const Cloud<Scalar>& from, const Cloud<Scalar>& to, bool squared) {
    thread_local std::vector<Scalar> minima, bounds;
    minima.resize(from.padded());
    bounds.resize(to.axes[0].low.size());
    kernel.search(from, to, {minima.data(), nullptr, bounds.data()});
    double sum = 0.0;
    for (std::size_t leaf = 0; leaf < from.leaves; ++leaf) {
        for (std::size_t p = leaf * clouds::kLeaf; p < leaf * clouds::kLeaf + from.counts[leaf]; ++p) {
            const double minimum = minima[p];
            sum += squared ? minimum : std::sqrt(minimum);
        }
    }
    return sum / static_cast<double>(from.size);
}

py::array_t<double> chamfer_pairs(const CloudSet& x, const CloudSet& y, const Indices& i, const Indices& j, double w1,
                                  double w2, bool squared, int threads, const std::string& isa) {
    const Kernel& kernel = select(isa);
    const std::size_t workers = check_threads(threads);
    if (i.ndim() != 1 || j.ndim() != 1 || i.size() != j.size())
        throw std::invalid_argument("Arguments `i` and `j` must be equally long");
    for (py::ssize_t k = 0; k < i.size(); ++k)
        if (i.data()[k] < 0 || j.data()[k] < 0 || i.data()[k] >= static_cast<std::int64_t>(x.size()) ||
            j.data()[k] >= static_cast<std::int64_t>(y.size()))
            throw std::out_of_range("Arguments `i` and `j` must index the clouds, but got pair (" +
                                    std::to_string(i.data()[k]) + ", " + std::to_string(j.data()[k]) + ")");
    py::array_t<double> out(i.size());
    const std::int64_t *rows = i.data(), *columns = j.data();
    double* values = out.mutable_data();
    const auto count = static_cast<std::size_t>(i.size());
    with_clouds(x, y, [&](const auto& from, const auto& to) {
        py::gil_scoped_release release;
        parallel_for(count, workers, [&](std::size_t k) {
            const auto &p = from[rows[k]], &q = to[columns[k]];
            values[k] = w1 * mean_distance(kernel, p, q, squared) + w2 * mean_distance(kernel, q, p, squared);
        });
    });
    return out;
}

template <class Scalar>
py::tuple nearest_in(const Kernel& kernel, const std::vector<Cloud<Scalar>>& x, const std::vector<Cloud<Scalar>>& y,
                     std::size_t threads) {
    std::vector<std::size_t> starts{0};
    for (const auto& cloud : x) starts.push_back(starts.back() + cloud.size);
    py::array_t<Scalar> distances(static_cast<py::ssize_t>(starts.back()));
    Indices indices(static_cast<py::ssize_t>(starts.back()));
    Scalar* distance_out = distances.mutable_data();
    std::int64_t* index_out = indices.mutable_data();
    {
        py::gil_scoped_release release;
        parallel_for(x.size(), threads, [&](std::size_t b) {
            std::vector<Scalar> distance(x[b].padded()), bounds(y[b].axes[0].low.size());
            std::vector<std::int64_t> position(x[b].padded());
            kernel.search(x[b], y[b], {distance.data(), position.data(), bounds.data()});
            for (std::size_t p = 0; p < x[b].padded(); ++p) {  // repetitions write the same again
                const std::size_t row = starts[b] + static_cast<std::size_t>(x[b].original[p]);
                distance_out[row] = distance[p];
                index_out[row] = y[b].original[position[p]];
            }
        });
    }
    return py::make_tuple(distances, indices);
}

py::tuple nearest(const CloudSet& x, const CloudSet& y, int threads, const std::string& isa) {
    if (x.size() != y.size())
        throw std::invalid_argument("Arguments `x` and `y` must hold equally many clouds, but got " +
                                    std::to_string(x.size()) + " and " + std::to_string(y.size()));
    const Kernel& kernel = select(isa);
    const std::size_t workers = check_threads(threads);
    py::tuple out;
    with_clouds(x, y, [&](const auto& from, const auto& to) { out = nearest_in(kernel, from, to, workers); });
    return out;
}

std::vector<std::string> supported_isas() {
    std::vector<std::string> names;
    for (const Kernel* kernel : supported_kernels()) names.emplace_back(kernel->name);
    return names;
}

}  // namespace

void bind_chamfer(py::module_& m) {
    using namespace py::literals;
    py::class_<CloudSet>(m, "Clouds")
        .def(py::init<const py::array&, const Indices&, int>(), "points"_a, "lengths"_a, "threads"_a = 1)
        .def("__len__", &CloudSet::size);
    m.def("chamfer_pairs", &chamfer_pairs, "x"_a, "y"_a, "i"_a, "j"_a, "w1"_a = 1.0, "w2"_a = 1.0, "squared"_a = true,
          "threads"_a = 1, "isa"_a = "auto");
    m.def("nearest", &nearest, "x"_a, "y"_a, "threads"_a = 1, "isa"_a = "auto");
    m.def("supported_isas", &supported_isas);
}
