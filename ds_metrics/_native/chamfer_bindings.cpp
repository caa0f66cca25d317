#include <memory>
#include <variant>

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings.hpp"
#include "chamfer.hpp"

namespace py = pybind11;

namespace {

// Whether the elements can be read in place, one after the other.
bool is_plain(const py::array& array) { return array.flags() & py::array::c_style && is_aligned(array); }

std::string describe(const py::handle& value) {
    if (!py::isinstance<py::array>(value)) return py::str(py::type::of(value).attr("__name__"));
    const auto array = py::reinterpret_borrow<py::array>(value);
    const char* layout = is_plain(array) ? "" : is_aligned(array) ? "a non-contiguous " : "an unaligned ";
    return layout + ("array of " + std::string(py::str(py::object(array.dtype())))) + " with shape " +
           std::string(py::str(array.attr("shape")));
}

[[noreturn]] void raise_type(const char* name, const char* expected, const py::handle& value) {
    throw py::type_error("Argument `" + std::string(name) + "` must be " + expected + ", but got " + describe(value));
}

[[noreturn]] void raise_value(const char* name, const std::string& expected, const std::string& got) {
    throw py::value_error("Argument `" + std::string(name) + "` must be " + expected + ", but got " + got);
}

py::array_t<std::int64_t> check_int64(const py::object& value, const char* name) {
    constexpr const char* expected = "an aligned C-contiguous int64 array of one dimension";
    if (!py::isinstance<py::array_t<std::int64_t>>(value)) raise_type(name, expected, value);
    const auto array = py::reinterpret_borrow<py::array_t<std::int64_t>>(value);
    if (array.ndim() != 1 || !is_plain(array)) raise_value(name, expected, describe(value));
    return array;
}

void check_threads(int threads) {
    if (threads < 1) raise_value("threads", "at least 1", std::to_string(threads));
}

std::string check_isa(const std::string& isa) {
    const std::vector<std::string> supported = ds::supported_isas();
    if (isa == "auto") return supported.front();
    std::string expected = "one of 'auto'";
    for (const std::string& name : supported) {
        if (name == isa) return isa;
        expected += ", '" + name + "'";
    }
    raise_value("isa", expected + " on this machine", "'" + isa + "'");
}

// A copy, as another Python thread could change the array after the check.
std::vector<std::int64_t> check_indices(const py::array_t<std::int64_t>& array, std::int64_t clouds, const char* name) {
    std::vector<std::int64_t> indices(array.data(), array.data() + array.size());
    for (std::size_t k = 0; k < indices.size(); ++k)
        if (indices[k] < 0 || indices[k] >= clouds)
            raise_value(name, "in [0, " + std::to_string(clouds) + ")",
                        std::to_string(indices[k]) + " at position " + std::to_string(k));
    return indices;
}

std::vector<std::int64_t> check_lengths(const py::array_t<std::int64_t>& lengths, std::int64_t rows) {
    std::vector<std::int64_t> offsets{0};
    for (py::ssize_t b = 0; b < lengths.size(); ++b) {
        const std::int64_t length = lengths.data()[b];
        if (length < 1 || length > rows || length > std::numeric_limits<std::int32_t>::max() - ds::kBlockPoints)
            raise_value("lengths", "positive and sum to the " + std::to_string(rows) + " rows of `points`",
                        std::to_string(length) + " at position " + std::to_string(b));
        offsets.push_back(offsets.back() + length);
        if (offsets.back() > rows) break;
    }
    if (offsets.back() != rows)
        raise_value("lengths", "positive and sum to the " + std::to_string(rows) + " rows of `points`",
                    "a sum of " + (offsets.back() > rows ? "more than that" : std::to_string(offsets.back())));
    return offsets;
}

using AnySet = std::variant<std::unique_ptr<ds::CloudSet<float>>, std::unique_ptr<ds::CloudSet<double>>>;

class Clouds {
public:
    Clouds(const py::object& points, const py::object& lengths, int threads) {
        constexpr const char* expected = "an aligned C-contiguous array of float32 or float64 with shape (T, 3)";
        const bool is_float = py::isinstance<py::array_t<float>>(points);
        if (!is_float && !py::isinstance<py::array_t<double>>(points)) raise_type("points", expected, points);
        const auto array = py::reinterpret_borrow<py::array>(points);
        if (array.ndim() != 2 || array.shape(1) != 3 || !is_plain(array))
            raise_value("points", expected, describe(points));
        check_threads(threads);
        std::vector<std::int64_t> offsets = check_lengths(check_int64(lengths, "lengths"), array.shape(0));
        if (is_float)
            set_ = prepare<float>(array, std::move(offsets), threads);
        else
            set_ = prepare<double>(array, std::move(offsets), threads);
    }

    std::int64_t size() const {
        return std::visit([](const auto& set) { return set->size(); }, set_);
    }
    std::size_t nbytes() const {
        return std::visit([](const auto& set) { return set->nbytes(); }, set_);
    }
    const char* dtype() const { return set_.index() == 0 ? "float32" : "float64"; }
    const AnySet& set() const { return set_; }

private:
    template <class T>
    static std::unique_ptr<ds::CloudSet<T>> prepare(const py::array& points, std::vector<std::int64_t> offsets,
                                                    int threads) {
        const T* rows = static_cast<const T*>(points.data());
        const py::gil_scoped_release release;
        return std::make_unique<ds::CloudSet<T>>(rows, std::move(offsets), threads);
    }

    AnySet set_;
};

// Calls body(x, y) with the two sets in their common scalar type.
template <class Body>
void visit_sets(const Clouds& x, const Clouds& y, const Body& body) {
    if (x.set().index() != y.set().index())
        throw py::type_error("Arguments `x` and `y` must have one dtype, but got " + std::string(x.dtype()) +
                             " and " + y.dtype());
    if (x.set().index() == 0)
        body(*std::get<0>(x.set()), *std::get<0>(y.set()));
    else
        body(*std::get<1>(x.set()), *std::get<1>(y.set()));
}

py::array_t<double> chamfer_pairs(const Clouds& x, const Clouds& y, const py::object& i, const py::object& j, double w1,
                                  double w2, bool squared, int threads, const std::string& isa) {
    const py::array_t<std::int64_t> i_array = check_int64(i, "i"), j_array = check_int64(j, "j");
    if (i_array.size() != j_array.size())
        raise_value("j", "as long as `i` (" + std::to_string(i_array.size()) + ")", std::to_string(j_array.size()));
    const std::vector<std::int64_t> rows = check_indices(i_array, x.size(), "i");
    const std::vector<std::int64_t> columns = check_indices(j_array, y.size(), "j");
    check_threads(threads);
    const std::string chosen = check_isa(isa);
    const py::ssize_t pairs = i_array.size();
    py::array_t<double> out(pairs);
    visit_sets(x, y, [&](const auto& x_set, const auto& y_set) {
        double* values = out.mutable_data();
        const py::gil_scoped_release release;
        ds::chamfer_pairs(x_set, y_set, rows.data(), columns.data(), pairs, {w1, w2, squared}, threads, chosen, values);
    });
    return out;
}

template <class T>
py::tuple nearest_of(const ds::CloudSet<T>& x, const ds::CloudSet<T>& y, int threads, const std::string& isa) {
    py::array_t<T> squared(x.offset(x.size()));
    py::array_t<std::int64_t> index(x.offset(x.size()));
    T* squared_values = squared.mutable_data();
    std::int64_t* index_values = index.mutable_data();
    {
        const py::gil_scoped_release release;
        ds::nearest_rows(x, y, threads, isa, squared_values, index_values);
    }
    return py::make_tuple(squared, index);
}

py::tuple nearest(const Clouds& x, const Clouds& y, int threads, const std::string& isa) {
    if (x.size() != y.size())
        raise_value("y", "as many clouds as `x` (" + std::to_string(x.size()) + ")", std::to_string(y.size()));
    check_threads(threads);
    const std::string chosen = check_isa(isa);
    py::tuple result;
    visit_sets(x, y, [&](const auto& x_set, const auto& y_set) { result = nearest_of(x_set, y_set, threads, chosen); });
    return result;
}

} // namespace

void bind_chamfer(py::module_& m) {
    py::class_<Clouds>(m, "Clouds", "Point clouds prepared once for nearest-neighbour search.")
        .def(py::init<const py::object&, const py::object&, int>(), py::arg("points"), py::arg("lengths"),
             py::arg("threads") = 1)
        .def("__len__", &Clouds::size)
        .def_property_readonly("dtype", &Clouds::dtype, "\"float32\" or \"float64\".")
        .def_property_readonly("nbytes", &Clouds::nbytes, "Memory held, in bytes.");
    m.def("chamfer_pairs", &chamfer_pairs, "Chamfer distance of cloud i[k] of x and cloud j[k] of y, for every k.",
          py::arg("x"), py::arg("y"), py::arg("i"), py::arg("j"), py::arg("w1") = 1.0, py::arg("w2") = 1.0,
          py::arg("squared") = true, py::arg("threads") = 1, py::arg("isa") = "auto");
    m.def("nearest", &nearest, "Squared distance to and index of the nearest point of y, for every point of x.",
          py::arg("x"), py::arg("y"), py::arg("threads") = 1, py::arg("isa") = "auto");
    m.def("supported_isas", &ds::supported_isas, "Instruction sets of this machine, best first.");
}
