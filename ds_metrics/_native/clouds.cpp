#include "clouds.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <type_traits>

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
    typedef T V __attribute__((vector_size(16)));
    constexpr int width = 16 / sizeof(T), vectors = sizeof(Point<T>) / sizeof(V);
    V lo[vectors], hi[vectors], point[vectors]; // index and padding come along, unused
    std::memcpy(lo, first, sizeof(lo));
    std::memcpy(hi, first, sizeof(hi));
    for (const Point<T>* p = first + 1; p != last; ++p) {
        std::memcpy(point, p, sizeof(point));
        for (int v = 0; v < vectors; ++v) {
            lo[v] = point[v] < lo[v] ? point[v] : lo[v];
            hi[v] = point[v] > hi[v] ? point[v] : hi[v];
        }
    }
    T extent[3];
    for (int d = 0; d < 3; ++d) extent[d] = hi[d / width][d % width] - lo[d / width][d % width];
    return static_cast<int>(std::max_element(extent, extent + 3) - extent);
}

// Half of n points, rounded up to whole blocks if there are two or more, else to whole leaves.
std::ptrdiff_t left_half(std::ptrdiff_t n) {
    const std::ptrdiff_t unit = n > kBlockPoints ? kBlockPoints : kLeaf;
    const std::ptrdiff_t units = (n + unit - 1) / unit;
    return (units + 1) / 2 * unit;
}

// Sorts the points of a cloud into leaves. Comparisons as such would be mispredicted half of the time, so points are
// moved by arithmetic on their outcome; the total order decides where coordinates are equal.
template <class T>
class LeafSort {
public:
    explicit LeafSort(std::size_t size) : spare_(size) {}

    void operator()(Point<T>* first, Point<T>* last) {
        while (last - first > kLeaf) {
            Point<T>* middle = first + left_half(last - first);
            split(first, middle, last, longest_axis(first, last));
            (*this)(first, middle);
            first = middle;
        }
        sort_few(first, last, 0);
    }

private:
    static constexpr std::ptrdiff_t kFew = 32;
    static constexpr int kSamples = 9;

    // Puts the points that belong before `middle` there.
    void split(Point<T>* first, Point<T>* middle, Point<T>* last, int axis) {
        for (int round = 0; round < 32 && last - first > kFew; ++round) {
            const T pivot = choose_pivot(first, middle, last, axis);
            Point<T>* cut = partition(first, last, [=](const Point<T>& p) { return p.xyz[axis] < pivot; });
            if (cut == first) { // the pivot is the smallest
                cut = partition(first, last, [=](const Point<T>& p) { return p.xyz[axis] <= pivot; });
                if (middle < cut) return std::nth_element(first, middle, cut, LexicographicLess<T>{axis});
            }
            (middle < cut ? last : first) = cut;
        }
        if (last - first > kFew) return std::nth_element(first, middle, last, LexicographicLess<T>{axis});
        sort_few(first, last, axis);
    }

    // A number that about as many points are below as belong before `middle`.
    static T choose_pivot(const Point<T>* first, const Point<T>* middle, const Point<T>* last, int axis) {
        T samples[kSamples];
        for (int k = 0; k < kSamples; ++k) samples[k] = first[(last - first) * k / kSamples].xyz[axis];
        std::sort(samples, samples + kSamples);
        return samples[(middle - first) * kSamples / (last - first)];
    }

    template <class Before>
    Point<T>* partition(Point<T>* first, Point<T>* last, const Before& before) {
        Point<T>* other = spare_.data();
        for (const Point<T>* p = first; p != last; ++p) {
            const Point<T> point = *p;
            *first = *other = point;
            const bool is_before = before(point);
            first += is_before;
            other += !is_before;
        }
        std::copy(spare_.data(), other, first);
        return first;
    }

    // Every point goes to the position given by the number of points before it.
    void sort_few(Point<T>* first, Point<T>* last, int axis) {
        const auto size = static_cast<int>(last - first);
        const int all_before = size * (size - 1) / 2; // if no two are equal
        if (count_before<1>(first, size, axis) != all_before && count_before<3>(first, size, axis) != all_before)
            return std::sort(first, last, LexicographicLess<T>{axis});
        for (int k = 0; k < size; ++k) spare_[static_cast<std::size_t>(before_[k])] = first[k];
        std::copy_n(spare_.data(), size, first);
    }

    // Fills before_, by the order of `axes` coordinates only, and returns the sum.
    template <int axes>
    int count_before(const Point<T>* first, int size, int axis) {
        T keys[axes][kFew];
        for (int a = 0; a < axes; ++a)
            for (int k = 0; k < round_up(size, kWidth); ++k)
                keys[a][k] = first[std::min(k, size - 1)].xyz[(axis + a) % 3];
        for (int begin = 0; begin < size; begin += kWidth) {
            V key[axes];
            for (int a = 0; a < axes; ++a) std::memcpy(&key[a], keys[a] + begin, sizeof(V));
            Counts count{};
            for (int k = 0; k < size; ++k) {
                Counts less{}, equal = ~less;
                for (int a = 0; a < axes; ++a) {
                    const V other = keys[a][k] - V{};
                    less |= equal & (other < key[a]);
                    equal &= other == key[a];
                }
                count -= less;
            }
            std::memcpy(before_ + begin, &count, sizeof(count));
        }
        return static_cast<int>(std::accumulate(before_, before_ + size, Count(0)));
    }

    using Count = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    typedef T V __attribute__((vector_size(16)));
    using Counts = decltype(V{} < V{});
    static constexpr int kWidth = 16 / sizeof(T);
    Count before_[kFew];
    std::vector<Point<T>> spare_;
};

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
void fill_boxes(const Cloud<T>& cloud, const Boxes<T>& boxes, std::size_t slots, std::size_t points_per_box) {
    constexpr T outward = 1 + 8 * std::numeric_limits<T>::epsilon();
    const auto size = static_cast<std::size_t>(cloud.size);
    for (int d = 0; d < 3; ++d) {
        T *mid = const_cast<T*>(boxes.mid[d]), *half = const_cast<T*>(boxes.half[d]);
        for (std::size_t slot = 0; slot < slots; ++slot) {
            const std::size_t begin = slot * points_per_box, end = std::min(begin + points_per_box, size);
            mid[slot] = std::numeric_limits<T>::infinity();
            half[slot] = -std::numeric_limits<T>::infinity();
            if (begin >= size) continue;
            T lo = cloud.points[d][begin], hi = lo;
            for (std::size_t k = begin + 1; k < end; ++k) {
                lo = std::min(lo, cloud.points[d][k]);
                hi = std::max(hi, cloud.points[d][k]);
            }
            mid[slot] = (lo + hi) / 2;
            half[slot] = std::max(hi - mid[slot], mid[slot] - lo) * outward;
        }
    }
}

// Sorts points into leaves and fills the arrays of a cloud with them.
template <class T>
void fill_arrays(const Cloud<T>& cloud, std::vector<Point<T>>& points, T* values, std::int32_t* indices) {
    const std::size_t size = points.size();
    LeafSort<T>{size}(points.data(), points.data() + size);
    const Layout layout(cloud.size);
    for (int d = 0; d < 3; ++d) {
        T* column = values + static_cast<std::size_t>(d) * layout.points;
        for (std::size_t k = 0; k < layout.points; ++k) column[k] = points[std::min(k, size - 1)].xyz[d];
    }
    for (std::size_t k = 0; k < size; ++k) indices[k] = points[k].index;
    fill_boxes(cloud, cloud.leaf_boxes, layout.leaf_boxes, kLeaf);
    fill_boxes(cloud, cloud.pair_boxes, layout.pair_boxes, 2 * kLeaf);
    fill_boxes(cloud, cloud.block_boxes, layout.block_boxes, kBlockPoints);
}

template <class T>
bool repeats_points(const Cloud<T>& cloud) {
    std::int32_t repeated = 0;
    for (std::int32_t leaf = 0; leaf < cloud.leaves; ++leaf)
        repeated += cloud.leaf_boxes.half[0][leaf] == 0 && cloud.leaf_boxes.half[1][leaf] == 0 &&
                    cloud.leaf_boxes.half[2][leaf] == 0;
    return repeated >= kRepeated;
}

// Of points at one place that with the lowest index.
template <class T>
void keep_distinct(std::vector<Point<T>>& points) {
    std::sort(points.begin(), points.end(), [](const Point<T>& a, const Point<T>& b) {
        if (a.xyz != b.xyz) return LexicographicLess<T>{0}(a, b);
        return a.index < b.index;
    });
    const auto same = [](const Point<T>& a, const Point<T>& b) { return a.xyz == b.xyz; };
    points.erase(std::unique(points.begin(), points.end(), same), points.end());
}

template <class T>
void set_size(Cloud<T>& cloud, std::int64_t size) {
    cloud.size = static_cast<std::int32_t>(size);
    cloud.leaves = round_up(cloud.size, kLeaf) / kLeaf;
    cloud.blocks = round_up(cloud.size, kBlockPoints) / kBlockPoints;
}

// How many numbers past the start of an array its first aligned one is.
template <class T>
std::size_t alignment_gap(const std::vector<T>& values) {
    const auto misaligned = reinterpret_cast<std::uintptr_t>(values.data()) % kAlignment;
    return misaligned ? (kAlignment - misaligned) / sizeof(T) : 0;
}

} // namespace

template <class T>
void assign_arrays(Cloud<T>& cloud, const Layout& layout, T* values) {
    for (int d = 0; d < 3; ++d, values += layout.points) cloud.points[d] = values;
    const auto assign = [&values](Boxes<T>& boxes, std::size_t slots) {
        for (int d = 0; d < 3; ++d, values += slots) boxes.mid[d] = values;
        for (int d = 0; d < 3; ++d, values += slots) boxes.half[d] = values;
    };
    assign(cloud.leaf_boxes, layout.leaf_boxes);
    assign(cloud.pair_boxes, layout.pair_boxes);
    assign(cloud.block_boxes, layout.block_boxes);
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
    : offsets_(std::move(offsets)), clouds_(offsets_.size() - 1), distinct_(clouds_.size()) {
    std::vector<std::size_t> starts(clouds_.size());
    std::size_t total = 0;
    for (std::size_t b = 0; b < clouds_.size(); ++b) {
        Cloud<T>& cloud = clouds_[b];
        set_size(cloud, offsets_[b + 1] - offsets_[b]);
        largest_ = std::max(largest_, cloud.size);
        starts[b] = total;
        total += Layout(cloud.size).values();
    }
    values_.resize(total + kAlignment / sizeof(T));
    indices_.resize(static_cast<std::size_t>(offsets_.back()));
    T* base = values_.data() + alignment_gap(values_);

    parallel_for(size(), 1, threads, [&](int, std::int64_t b) {
        const auto at = static_cast<std::size_t>(b);
        clouds_[at].indices = indices_.data() + offsets_[at];
        assign_arrays(clouds_[at], Layout(clouds_[at].size), base + starts[at]);
        fill(at, points + 3 * offsets_[at], base + starts[at]);
    });
}

template <class T>
void CloudSet<T>::fill(std::size_t at, const T* rows, T* values) {
    Cloud<T>& cloud = clouds_[at];
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
    fill_arrays(cloud, points, values, indices_.data() + offsets_[at]);
    if (!repeats_points(cloud)) return;

    keep_distinct(points);
    Distinct& distinct = distinct_[at];
    distinct.cloud = cloud;
    set_size(distinct.cloud, static_cast<std::int64_t>(points.size()));
    const Layout layout(distinct.cloud.size);
    distinct.values.resize(layout.values() + kAlignment / sizeof(T));
    distinct.indices.resize(points.size());
    T* own = distinct.values.data() + alignment_gap(distinct.values);
    assign_arrays(distinct.cloud, layout, own);
    distinct.cloud.indices = distinct.indices.data();
    fill_arrays(distinct.cloud, points, own, distinct.indices.data());
}

template <class T>
std::size_t CloudSet<T>::nbytes() const {
    std::size_t distinct = 0;
    for (const Distinct& part : distinct_)
        distinct += part.values.size() * sizeof(T) + part.indices.size() * sizeof(std::int32_t);
    return distinct + distinct_.size() * sizeof(Distinct) + values_.size() * sizeof(T) + indices_.size() * sizeof(std::int32_t) +
           clouds_.size() * (sizeof(Cloud<T>) + sizeof(std::int64_t));
}

template class CloudSet<float>;
template class CloudSet<double>;
template Cloud<float> rescale(const Cloud<float>&, std::int32_t, float*);
template Cloud<double> rescale(const Cloud<double>&, std::int32_t, double*);

} // namespace ds
