// Point clouds prepared for searching: sorted once into small leaves with boxes around them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <tuple>
#include <vector>

namespace clouds {

constexpr std::size_t kLeaf = 16;  // points a leaf: one AVX-512 register of float32

// Integers in the order of the numbers, and total: NaN has its place too, without which sorting is undefined.
inline std::int32_t sort_key(float value) {
    std::int32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? bits ^ INT32_MAX : bits;
}
inline std::int64_t sort_key(double value) {
    std::int64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

// Coordinates side by side, leaf after leaf. The order depends on the points alone, not on how they came, so that sums
// over them do not either. All leaves are full but the last, which repeats its last point.
template <class Scalar>
struct Cloud {
    struct Axis {
        std::vector<Scalar> points;     // kLeaf a leaf
        std::vector<Scalar> low, high;  // of each leaf, padded to whole registers with boxes that nothing is near
    };

    std::size_t size = 0, leaves = 0;
    Axis axes[3];
    std::vector<std::int64_t> original;  // where each point stood in the input
    std::vector<std::uint8_t> counts;    // points of each leaf that are no repetition

    Cloud() = default;
    Cloud(const Scalar* points, std::size_t count) : size(count) {
        std::vector<std::int64_t> order(count);
        std::iota(order.begin(), order.end(), std::int64_t{0});
        split(points, order.data(), order.data() + count);
        for (Axis& axis : axes) {
            const std::size_t padded = (leaves + kLeaf - 1) / kLeaf * kLeaf;
            axis.low.resize(padded, std::numeric_limits<Scalar>::infinity());
            axis.high.resize(padded, std::numeric_limits<Scalar>::infinity());
        }
    }

    std::size_t padded() const { return leaves * kLeaf; }

private:
    void split(const Scalar* points, std::int64_t* begin, std::int64_t* end) {
        const auto count = static_cast<std::size_t>(end - begin);
        const std::size_t axis = longest_axis(points, begin, end);
        const auto less = [points, axis](std::int64_t a, std::int64_t b) {
            const auto key = [points, axis](std::int64_t p) {
                const Scalar* point = points + 3 * p;
                return std::make_tuple(sort_key(point[axis]), sort_key(point[0]), sort_key(point[1]),
                                       sort_key(point[2]), p);
            };
            return key(a) < key(b);
        };
        if (count <= kLeaf) {
            std::sort(begin, end, less);
            add_leaf(points, begin, count);
            return;
        }
        const std::size_t leaves_here = (count + kLeaf - 1) / kLeaf;
        std::int64_t* middle = begin + (leaves_here + 1) / 2 * kLeaf;
        std::nth_element(begin, middle, end, less);
        split(points, begin, middle);
        split(points, middle, end);
    }

    static std::size_t longest_axis(const Scalar* points, const std::int64_t* begin, const std::int64_t* end) {
        std::size_t longest = 0;
        Scalar extent = -1;
        for (std::size_t axis = 0; axis < 3; ++axis) {
            Scalar low = points[3 * *begin + axis], high = low;
            for (const std::int64_t* p = begin; p < end; ++p) {
                low = std::min(low, points[3 * *p + axis]);
                high = std::max(high, points[3 * *p + axis]);
            }
            if (high - low > extent) {
                extent = high - low;
                longest = axis;
            }
        }
        return longest;
    }

    void add_leaf(const Scalar* points, const std::int64_t* order, std::size_t count) {
        for (std::size_t k = 0; k < kLeaf; ++k) {
            const std::int64_t p = order[std::min(k, count - 1)];
            for (std::size_t axis = 0; axis < 3; ++axis) axes[axis].points.push_back(points[3 * p + axis]);
            original.push_back(p);
        }
        for (Axis& axis : axes) {
            const auto [low, high] = std::minmax_element(axis.points.end() - kLeaf, axis.points.end());
            axis.low.push_back(*low);
            axis.high.push_back(*high);
        }
        counts.push_back(static_cast<std::uint8_t>(count));
        ++leaves;
    }
};

// What a search fills, with room for the padding: squared distance to the nearest target of each query, and where it
// stands among the targets; `position` is null where it is not wanted. `bounds` is scratch, one entry a target leaf.
template <class Scalar>
struct Nearest {
    Scalar* distance;
    std::int64_t* position;
    Scalar* bounds;
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
