// Point clouds as the kernels take them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <tuple>
#include <vector>

namespace clouds {

constexpr std::size_t kLanes = 16;

// Coordinates side by side, in lexicographic order: sums over the points then do not depend on the order in which they
// came. Padded to whole vectors with copies of the last point.
template <class Scalar>
struct Cloud {
    std::size_t size = 0, padded = 0;
    std::vector<Scalar> x, y, z;
    std::vector<std::int64_t> original;  // where each point stood in the input

    Cloud() = default;
    Cloud(const Scalar* points, std::size_t count)
        : size(count),
          padded((count + kLanes - 1) / kLanes * kLanes),
          x(padded),
          y(padded),
          z(padded),
          original(count) {
        std::iota(original.begin(), original.end(), std::int64_t{0});
        const auto coordinates = [points](std::int64_t p) {
            return std::make_tuple(points[3 * p], points[3 * p + 1], points[3 * p + 2]);
        };
        std::sort(original.begin(), original.end(), [&](std::int64_t a, std::int64_t b) {
            return coordinates(a) != coordinates(b) ? coordinates(a) < coordinates(b) : a < b;
        });
        for (std::size_t p = 0; p < padded; ++p) {
            std::tie(x[p], y[p], z[p]) = coordinates(original[std::min(p, size - 1)]);
        }
    }
};

// What a search fills: squared distance to the nearest target of each query, and where it stands among the targets.
// Both have room for the padding; `position` is null where it is not wanted.
template <class Scalar>
struct Nearest {
    Scalar* distance;
    std::int64_t* position;
};

// One search a precision, compiled once an instruction set.
struct Kernel {
    const char* name;
    bool (*supported)();
    void (*search_single)(const Cloud<float>&, const Cloud<float>&, Nearest<float>);
    void (*search_double)(const Cloud<double>&, const Cloud<double>&, Nearest<double>);

    void search(const Cloud<float>& from, const Cloud<float>& to, Nearest<float> out) const {
        search_single(from, to, out);
    }
    void search(const Cloud<double>& from, const Cloud<double>& to, Nearest<double> out) const {
        search_double(from, to, out);
    }
};

const Kernel& portable_kernel();
#if defined(__x86_64__)
const Kernel& avx2_kernel();
const Kernel& avx512_kernel();
#endif

}  // namespace clouds
