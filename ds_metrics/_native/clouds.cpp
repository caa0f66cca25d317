#include "clouds.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "parallel.hpp"

namespace ds {
namespace {

constexpr std::size_t kAlignment = 64;

template <class T>
struct Point {
    std::array<T, 3> xyz;
    std::int32_t index;
};

// Lexicographic order that starts at `axis`: total on coordinates, so splits are canonical.
template <class T>
struct LexicographicLess {
    int axis;
    bool operator()(const Point<T>& a, const Point<T>& b) const {
        for (int step = 0, d = axis; step < 3; ++step, d = d == 2 ? 0 : d + 1)
            if (a.xyz[d] != b.xyz[d]) return a.xyz[d] < b.xyz[d];
        return false;
    }
};

template <class T>
int longest_axis(const Point<T>* first, const Point<T>* last) {
    std::array<T, 3> lo = first->xyz, hi = first->xyz;
    for (const Point<T>* p = first + 1; p != last; ++p)
        for (int d = 0; d < 3; ++d) {
            lo[d] = std::min(lo[d], p->xyz[d]);
            hi[d] = std::max(hi[d], p->xyz[d]);
        }
    int axis = 0;
    for (int d = 1; d < 3; ++d)
        if (hi[d] - lo[d] > hi[axis] - lo[axis]) axis = d;
    return axis;
}

// Half of n points, rounded up to whole blocks if there are two or more, else to whole leaves.
std::ptrdiff_t left_half(std::ptrdiff_t n) {
    const std::ptrdiff_t unit = n > kBlockPoints ? kBlockPoints : kLeaf;
    const std::ptrdiff_t units = (n + unit - 1) / unit;
    return (units + 1) / 2 * unit;
}

template <class T>
void sort_into_leaves(Point<T>* first, Point<T>* last) {
    while (last - first > kLeaf) {
        Point<T>* middle = first + left_half(last - first);
        std::nth_element(first, middle, last, LexicographicLess<T>{longest_axis(first, last)});
        sort_into_leaves(first, middle);
        first = middle;
    }
    std::sort(first, last, LexicographicLess<T>{0});
}

// Multiplies by 2^exponent in two steps, as 2^exponent alone may overflow. Exact unless the result
// is subnormal.
template <class T>
class PowerOfTwo {
public:
    explicit PowerOfTwo(int exponent)
        : half_(std::ldexp(T(1), exponent / 2)), rest_(std::ldexp(T(1), exponent - exponent / 2)) {}
    T operator()(T value) const { return value * half_ * rest_; }

private:
    T half_, rest_;
};

// The exponent that brings the largest coordinate as high as squares allow, so that neither huge nor
// tiny coordinates leave the range of T when squared, nor their sum that of double. It moves in wide
// steps: clouds of like size share it, and a pair that doesn't is rescaled to the lower of the two.
template <class T>
int choose_exponent(T largest) {
    constexpr int margin = sizeof(T) == sizeof(double) ? 20 : 4; // sums are in double in either case
    constexpr int top = std::numeric_limits<T>::max_exponent / 2 - margin;
    constexpr int step = std::numeric_limits<T>::max_exponent / 4;
    int exponent; // largest < 2^exponent; a cloud of zeros takes the exponent of any partner
    std::frexp(std::max(largest, std::numeric_limits<T>::denorm_min()), &exponent);
    const int shifted = exponent + step / 2 - 1;
    const int steps = shifted >= 0 ? shifted / step : -((-shifted + step - 1) / step);
    return top - step / 2 - steps * step;
}

template <class T>
void fill_box(T* const lo[3], T* const hi[3], std::size_t slot, const Cloud<T>& cloud, std::size_t begin,
              std::size_t end) {
    for (int d = 0; d < 3; ++d) {
        lo[d][slot] = *std::min_element(cloud.points[d] + begin, cloud.points[d] + end);
        hi[d][slot] = *std::max_element(cloud.points[d] + begin, cloud.points[d] + end);
    }
}

template <class T>
void fill_boxes(const Cloud<T>& cloud, const Boxes<T>& boxes, std::size_t slots, std::size_t points_per_box) {
    T *lo[3], *hi[3];
    for (int d = 0; d < 3; ++d) {
        lo[d] = const_cast<T*>(boxes.lo[d]);
        hi[d] = const_cast<T*>(boxes.hi[d]);
        std::fill_n(lo[d], slots, std::numeric_limits<T>::infinity());
        std::fill_n(hi[d], slots, -std::numeric_limits<T>::infinity());
    }
    const auto size = static_cast<std::size_t>(cloud.size);
    for (std::size_t begin = 0, slot = 0; begin < size; begin += points_per_box, ++slot)
        fill_box(lo, hi, slot, cloud, begin, std::min(begin + points_per_box, size));
}

template <class T>
void prepare(Cloud<T>& cloud, const T* rows, T* values, std::int32_t* indices) {
    const auto size = static_cast<std::size_t>(cloud.size);
    T largest = 0;
    cloud.finite = true;
    for (std::size_t k = 0; k < 3 * size; ++k) {
        cloud.finite = cloud.finite && std::isfinite(rows[k]);
        largest = std::max(largest, std::abs(rows[k]));
    }
    if (!cloud.finite) return;

    cloud.exponent = choose_exponent(largest);
    const PowerOfTwo<T> scaled(cloud.exponent);
    std::vector<Point<T>> points(size);
    for (std::size_t k = 0; k < size; ++k) {
        const T* row = rows + 3 * k;
        points[k] = {{scaled(row[0]), scaled(row[1]), scaled(row[2])}, static_cast<std::int32_t>(k)};
    }
    sort_into_leaves(points.data(), points.data() + size);

    const Layout layout(cloud.size);
    for (int d = 0; d < 3; ++d) {
        T* column = values + static_cast<std::size_t>(d) * layout.points;
        for (std::size_t k = 0; k < layout.points; ++k) column[k] = points[std::min(k, size - 1)].xyz[d];
    }
    for (std::size_t k = 0; k < size; ++k) indices[k] = points[k].index;
    fill_boxes(cloud, cloud.leaf_boxes, layout.leaf_boxes, kLeaf);
    fill_boxes(cloud, cloud.block_boxes, layout.block_boxes, kBlockPoints);
}

} // namespace

template <class T>
void assign_arrays(Cloud<T>& cloud, const Layout& layout, T* values) {
    for (int d = 0; d < 3; ++d, values += layout.points) cloud.points[d] = values;
    for (int d = 0; d < 3; ++d, values += layout.leaf_boxes) cloud.leaf_boxes.lo[d] = values;
    for (int d = 0; d < 3; ++d, values += layout.leaf_boxes) cloud.leaf_boxes.hi[d] = values;
    for (int d = 0; d < 3; ++d, values += layout.block_boxes) cloud.block_boxes.lo[d] = values;
    for (int d = 0; d < 3; ++d, values += layout.block_boxes) cloud.block_boxes.hi[d] = values;
}

template <class T>
Cloud<T> rescale(const Cloud<T>& cloud, std::int32_t exponent, T* values) {
    Cloud<T> copy = cloud;
    const Layout layout(cloud.size);
    const PowerOfTwo<T> scaled(exponent - cloud.exponent);
    std::transform(cloud.points[0], cloud.points[0] + layout.values(), values, scaled);
    assign_arrays(copy, layout, values);
    copy.exponent = exponent;
    return copy;
}

template <class T>
CloudSet<T>::CloudSet(const T* points, std::vector<std::int64_t> offsets, int threads)
    : offsets_(std::move(offsets)), clouds_(offsets_.size() - 1) {
    std::vector<std::size_t> starts(clouds_.size());
    std::size_t total = 0;
    for (std::size_t b = 0; b < clouds_.size(); ++b) {
        Cloud<T>& cloud = clouds_[b];
        cloud.size = static_cast<std::int32_t>(offsets_[b + 1] - offsets_[b]);
        cloud.leaves = round_up(cloud.size, kLeaf) / kLeaf;
        cloud.blocks = round_up(cloud.size, kBlockPoints) / kBlockPoints;
        largest_ = std::max(largest_, cloud.size);
        starts[b] = total;
        total += Layout(cloud.size).values();
    }
    values_.resize(total + kAlignment / sizeof(T));
    indices_.resize(static_cast<std::size_t>(offsets_.back()));
    const auto misaligned = reinterpret_cast<std::uintptr_t>(values_.data()) % kAlignment;
    T* base = values_.data() + (misaligned ? (kAlignment - misaligned) / sizeof(T) : 0);

    parallel_for(size(), 1, threads, [&](int, std::int64_t b) {
        const auto at = static_cast<std::size_t>(b);
        Cloud<T>& cloud = clouds_[at];
        cloud.indices = indices_.data() + offsets_[at];
        assign_arrays(cloud, Layout(cloud.size), base + starts[at]);
        prepare(cloud, points + 3 * offsets_[at], base + starts[at], indices_.data() + offsets_[at]);
    });
}

template <class T>
std::size_t CloudSet<T>::nbytes() const {
    return values_.size() * sizeof(T) + indices_.size() * sizeof(std::int32_t) +
           clouds_.size() * (sizeof(Cloud<T>) + sizeof(std::int64_t));
}

template class CloudSet<float>;
template class CloudSet<double>;
template Cloud<float> rescale(const Cloud<float>&, std::int32_t, float*);
template Cloud<double> rescale(const Cloud<double>&, std::int32_t, double*);

} // namespace ds
