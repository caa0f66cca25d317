#include "chamfer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "parallel.hpp"

namespace ds {
namespace {

template <class T>
NearestKernel<T> find_kernel([[maybe_unused]] const std::string& isa) {
#ifdef DS_X86
    if (isa == "avx512") return nearest_avx512;
    if (isa == "avx2") return nearest_avx2;
#endif
    return nearest_portable;
}

// Memory of one worker, allocated once for all its pairs.
template <class T>
class Scratch {
public:
    explicit Scratch(std::int32_t largest)
        : layout_(Layout(largest)), values_(Layout(largest).values() + kSlack),
          squared_(Layout(largest).points + kSlack), boxes_(layout_.boxes + kSlack),
          leaves_(Layout(largest).points), lists_(new std::int32_t[layout_.numbers()]) {}
    T* values() { return aligned(values_); }
    T* squared() { return aligned(squared_); }
    std::int32_t* leaves() { return leaves_.data(); }
    KernelScratch<T> kernel() {
        std::int32_t *ids = lists_.get(), *blocks = ids + layout_.blocks;
        std::int32_t* leaves = blocks + layout_.groups * layout_.blocks;
        std::int32_t* reached = leaves + layout_.groups * layout_.leaves;
        return {aligned(boxes_), ids, blocks, leaves, reached, reached + layout_.groups * layout_.leaves};
    }

private:
    static constexpr std::size_t kSlack = 64 / sizeof(T);

    static T* aligned(std::vector<T>& v) {
        const auto misaligned = reinterpret_cast<std::uintptr_t>(v.data()) % 64;
        return v.data() + (misaligned ? (64 - misaligned) / sizeof(T) : 0);
    }
    ScratchLayout layout_;
    std::vector<T> values_, squared_, boxes_;
    std::vector<std::int32_t> leaves_;
    std::unique_ptr<std::int32_t[]> lists_; // not zeroed: most of it is never used
};

// Two clouds brought to one exponent.
template <class T>
struct Pair {
    Cloud<T> x, y;

    Pair(const Cloud<T>& x_, const Cloud<T>& y_, Scratch<T>& scratch) : x(x_), y(y_) {
        if (x.exponent > y.exponent) x = rescale(x, y.exponent, scratch.values());
        if (y.exponent > x.exponent) y = rescale(y, x.exponent, scratch.values());
    }
};

// Mean in an order of summation fixed by the number of points alone.
template <class T, class Term>
double mean(const T* values, std::int32_t size, const Term& term) {
    constexpr std::int32_t lanes = 8;
    double sums[lanes] = {};
    std::int32_t k = 0;
    for (; k + lanes <= size; k += lanes)
        for (std::int32_t lane = 0; lane < lanes; ++lane) sums[lane] += term(static_cast<double>(values[k + lane]));
    for (std::int32_t lane = 0; k < size; ++k, ++lane) sums[lane] += term(static_cast<double>(values[k]));
    return (((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))) / size;
}

template <class T>
double sided(const Cloud<T>& x, const Cloud<T>& y, bool squared, NearestKernel<T> kernel,
             Scratch<T>& scratch) {
    const T* minima = scratch.squared();
    kernel(x, y, scratch.squared(), nullptr, scratch.kernel());
    if (squared) return std::ldexp(mean(minima, x.size, [](double v) { return v; }), -2 * x.exponent);
    return std::ldexp(mean(minima, x.size, [](double v) { return std::sqrt(v); }), -x.exponent);
}

template <class T>
double chamfer(const Cloud<T>& x, const Cloud<T>& y, const ChamferOptions& options, NearestKernel<T> kernel,
               Scratch<T>& scratch) {
    if (!x.finite || !y.finite) return std::numeric_limits<double>::quiet_NaN();
    const Pair<T> pair(x, y, scratch);
    return options.w1 * sided(pair.x, pair.y, options.squared, kernel, scratch) +
           options.w2 * sided(pair.y, pair.x, options.squared, kernel, scratch);
}

// The point of the leaf nearest to point k of x, found with the operations of the kernel.
template <class T>
std::int32_t locate(const Cloud<T>& x, std::int32_t k, const Cloud<T>& y, std::int32_t leaf) {
    const std::int32_t begin = leaf * kLeaf, end = std::min(begin + kLeaf, y.size);
    std::int32_t best = begin;
    T best_squared = std::numeric_limits<T>::infinity();
    for (std::int32_t target = begin; target < end; ++target) {
        const T dx = x.points[0][k] - y.points[0][target], dy = x.points[1][k] - y.points[1][target],
                dz = x.points[2][k] - y.points[2][target];
        const T squared = dx * dx + dy * dy + dz * dz;
        if (squared < best_squared) best_squared = squared, best = target;
    }
    return best;
}

template <class T>
void nearest_rows_of_cloud(const Cloud<T>& x, const Cloud<T>& y, NearestKernel<T> kernel, Scratch<T>& scratch,
                           T* squared, std::int64_t* index) {
    if (!x.finite || !y.finite) {
        std::fill_n(squared, x.size, std::numeric_limits<T>::quiet_NaN());
        std::fill_n(index, x.size, 0);
        return;
    }
    const Pair<T> pair(x, y, scratch);
    kernel(pair.x, pair.y, scratch.squared(), scratch.leaves(), scratch.kernel());
    for (std::int32_t k = 0; k < x.size; ++k) {
        const std::int32_t row = x.indices[k];
        squared[row] = std::ldexp(scratch.squared()[k], -2 * pair.x.exponent);
        index[row] = y.indices[locate(pair.x, k, pair.y, scratch.leaves()[k])];
    }
}

template <class T>
std::vector<Scratch<T>> make_scratch(const CloudSet<T>& x, const CloudSet<T>& y, std::int64_t items, int threads) {
    const auto workers = static_cast<std::size_t>(std::min<std::int64_t>(threads, items));
    std::vector<Scratch<T>> scratch;
    for (std::size_t k = 0; k < workers; ++k) scratch.emplace_back(std::max(x.largest(), y.largest()));
    return scratch;
}

} // namespace

std::vector<std::string> supported_isas() {
    std::vector<std::string> isas;
#ifdef DS_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        isas.push_back("avx512");
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back("avx2");
#endif
    isas.push_back("portable");
    return isas;
}

template <class T>
void chamfer_pairs(const CloudSet<T>& x, const CloudSet<T>& y, const std::int64_t* i, const std::int64_t* j,
                   std::int64_t pairs, const ChamferOptions& options, int threads, const std::string& isa,
                   double* out) {
    constexpr std::int64_t chunk = 16;
    const NearestKernel<T> kernel = find_kernel<T>(isa);
    std::vector<Scratch<T>> scratch = make_scratch(x, y, pairs, threads);
    parallel_for(pairs, chunk, threads, [&](int worker, std::int64_t k) {
        out[k] = chamfer(x[i[k]], y[j[k]], options, kernel, scratch[static_cast<std::size_t>(worker)]);
    });
}

template <class T>
void nearest_rows(const CloudSet<T>& x, const CloudSet<T>& y, int threads, const std::string& isa, T* squared,
                  std::int64_t* index) {
    const NearestKernel<T> kernel = find_kernel<T>(isa);
    std::vector<Scratch<T>> scratch = make_scratch(x, y, x.size(), threads);
    parallel_for(x.size(), 1, threads, [&](int worker, std::int64_t b) {
        nearest_rows_of_cloud(x[b], y[b], kernel, scratch[static_cast<std::size_t>(worker)], squared + x.offset(b),
                              index + x.offset(b));
    });
}

#define DS_INSTANTIATE(T)                                                                                             \
    template void chamfer_pairs(const CloudSet<T>&, const CloudSet<T>&, const std::int64_t*, const std::int64_t*,     \
                                std::int64_t, const ChamferOptions&, int, const std::string&, double*);               \
    template void nearest_rows(const CloudSet<T>&, const CloudSet<T>&, int, const std::string&, T*, std::int64_t*);

DS_INSTANTIATE(float)
DS_INSTANTIATE(double)

} // namespace ds
