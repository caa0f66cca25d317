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
    T* target_values() { // apart, as they are seldom needed
        if (target_values_.empty()) target_values_.resize(values_.size());
        return aligned(target_values_);
    }
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
    std::vector<T> values_, target_values_, squared_, boxes_;
    std::vector<std::int32_t> leaves_;
    std::unique_ptr<std::int32_t[]> lists_; // not zeroed: most of it is never used
};

// A cloud as its points ask, and as they are asked for.
template <class T>
struct Side {
    Cloud<T> queries, targets;

    Side(const CloudSet<T>& set, std::int64_t cloud) : queries(set[cloud]), targets(set.targets(cloud)) {}

    void rescale_to(std::int32_t exponent, Scratch<T>& scratch) {
        const bool alike = targets.indices == queries.indices;
        queries = rescale(queries, exponent, scratch.values());
        targets = alike ? queries : rescale(targets, exponent, scratch.target_values());
    }
};

// Two clouds brought to one exponent.
template <class T>
struct Pair {
    Side<T> x, y;

    Pair(const Side<T>& x_, const Side<T>& y_, Scratch<T>& scratch) : x(x_), y(y_) {
        const std::int32_t exponent = std::min(x.queries.exponent, y.queries.exponent);
        if (x.queries.exponent > exponent) x.rescale_to(exponent, scratch);
        if (y.queries.exponent > exponent) y.rescale_to(exponent, scratch);
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
double chamfer(const Side<T>& x, const Side<T>& y, const ChamferOptions& options, NearestKernel<T> kernel,
               Scratch<T>& scratch) {
    if (!x.queries.finite || !y.queries.finite) return std::numeric_limits<double>::quiet_NaN();
    const Pair<T> pair(x, y, scratch);
    return options.w1 * sided(pair.x.queries, pair.y.targets, options.squared, kernel, scratch) +
           options.w2 * sided(pair.y.queries, pair.x.targets, options.squared, kernel, scratch);
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
void nearest_rows_of_cloud(const Side<T>& x_side, const Side<T>& y_side, NearestKernel<T> kernel, Scratch<T>& scratch,
                           T* squared, std::int64_t* index) {
    if (!x_side.queries.finite || !y_side.queries.finite) {
        std::fill_n(squared, x_side.queries.size, std::numeric_limits<T>::quiet_NaN());
        std::fill_n(index, x_side.queries.size, 0);
        return;
    }
    const Pair<T> pair(x_side, y_side, scratch);
    const Cloud<T>&x = pair.x.queries, &y = pair.y.targets;
    kernel(x, y, scratch.squared(), scratch.leaves(), scratch.kernel());
    for (std::int32_t k = 0; k < x.size; ++k) {
        const std::int32_t row = x.indices[k];
        squared[row] = std::ldexp(scratch.squared()[k], -2 * x.exponent);
        index[row] = y.indices[locate(x, k, y, scratch.leaves()[k])];
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
        out[k] = chamfer<T>({x, i[k]}, {y, j[k]}, options, kernel, scratch[static_cast<std::size_t>(worker)]);
    });
}

template <class T>
void nearest_rows(const CloudSet<T>& x, const CloudSet<T>& y, int threads, const std::string& isa, T* squared,
                  std::int64_t* index) {
    const NearestKernel<T> kernel = find_kernel<T>(isa);
    std::vector<Scratch<T>> scratch = make_scratch(x, y, x.size(), threads);
    parallel_for(x.size(), 1, threads, [&](int worker, std::int64_t b) {
        nearest_rows_of_cloud<T>({x, b}, {y, b}, kernel, scratch[static_cast<std::size_t>(worker)], squared + x.offset(b),
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
