// The exact search, for whichever instruction set the including file has switched on, with vectors of DS_VECTOR_BYTES.
// It must stay free of functions that other files compile too: the linker keeps one copy, perhaps the one that this
// machine can't run.
#pragma once

#include "clouds.hpp"

namespace clouds {
namespace {

template <class Scalar>
struct Lanes;
template <>
struct Lanes<float> {
    typedef float Values __attribute__((vector_size(DS_VECTOR_BYTES), aligned(sizeof(float))));
    typedef std::int32_t Position;
    typedef Position Positions __attribute__((vector_size(DS_VECTOR_BYTES)));
};
template <>
struct Lanes<double> {
    typedef double Values __attribute__((vector_size(DS_VECTOR_BYTES), aligned(sizeof(double))));
    typedef std::int64_t Position;
    typedef Position Positions __attribute__((vector_size(DS_VECTOR_BYTES)));
};

// Whether a < b in any lane: one instruction or two where the compiler would compare lane by lane.
#if DS_VECTOR_BYTES == 64
inline bool any_less(Lanes<float>::Values a, Lanes<float>::Values b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ) != 0;
}
inline bool any_less(Lanes<double>::Values a, Lanes<double>::Values b) {
    return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ) != 0;
}
#elif DS_VECTOR_BYTES == 32
inline bool any_less(Lanes<float>::Values a, Lanes<float>::Values b) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ)) != 0;
}
inline bool any_less(Lanes<double>::Values a, Lanes<double>::Values b) {
    return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ)) != 0;
}
#else
template <class Values>
bool any_less(Values a, Values b) {
    const auto less = a < b;
    bool any = false;
    for (std::size_t lane = 0; lane < sizeof(a) / sizeof(a[0]); ++lane) any |= less[lane] != 0;
    return any;
}
#endif

// For each query the nearest target. A register of queries from one leaf stays in lanes while the targets pass by, so
// that nothing is reduced inside the loop. Leaves of targets are left out by bounds that go through the same operations
// as the distances; rounding keeps their order, so that pruning changes nothing. Coordinates are subtracted before they
// are squared: the expansion |p|^2 + |q|^2 - 2pq loses digits.
template <bool kPositions, class Scalar>
class Search {
    using Values = typename Lanes<Scalar>::Values;
    using Positions = typename Lanes<Scalar>::Positions;
    using Position = typename Lanes<Scalar>::Position;
    static constexpr std::size_t kWidth = DS_VECTOR_BYTES / sizeof(Scalar);
    static_assert(kLeaf % kWidth == 0, "a leaf must fill whole registers");

public:
    Search(const Cloud<Scalar>& from, const Cloud<Scalar>& to, Nearest<Scalar> out) : from_(from), to_(to), out_(out) {}

    void run() {
        for (std::size_t leaf = 0; leaf < from_.leaves; ++leaf) {
            const std::size_t nearest = bound_leaves(leaf);
            for (std::size_t start = leaf * kLeaf; start < (leaf + 1) * kLeaf; start += kWidth) {
                load(start);
                scan(nearest);
                search_rest(nearest);
                store(start);
            }
        }
    }

private:
    static Values at(const Scalar* values) { return *reinterpret_cast<const Values*>(values); }
    static Values max(Values a, Values b) { return a > b ? a : b; }
    static Values squared_norm(Values x, Values y, Values z) { return x * x + y * y + z * z; }

    // Lower bounds between a leaf of queries and all leaves of targets, side by side; returns the leaf with the least.
    std::size_t bound_leaves(std::size_t leaf) {
        const Values zero{};
        Values least = zero + static_cast<Scalar>(__builtin_inf());
        Positions where{};
        for (std::size_t start = 0; start < to_.leaves; start += kWidth) {
            Values gap[3];
            for (std::size_t axis = 0; axis < 3; ++axis) {
                const auto &queries = from_.axes[axis], &targets = to_.axes[axis];
                const Values above = at(&targets.low[start]) - queries.high[leaf];
                const Values below = queries.low[leaf] - at(&targets.high[start]);
                gap[axis] = max(max(above, below), zero);
            }
            const Values bound = squared_norm(gap[0], gap[1], gap[2]);
            *reinterpret_cast<Values*>(out_.bounds + start) = bound;
            where = bound < least ? Positions{} + static_cast<Position>(start) : where;
            least = bound < least ? bound : least;
        }
        std::size_t best = 0;
        for (std::size_t lane = 1; lane < kWidth; ++lane) best = least[lane] < least[best] ? lane : best;
        const std::size_t found = static_cast<std::size_t>(where[best]) + best;
        return found < to_.leaves ? found : 0;
    }

    void load(std::size_t start) {
        for (std::size_t axis = 0; axis < 3; ++axis) query_[axis] = at(&from_.axes[axis].points[start]);
        best_ = Values{} + static_cast<Scalar>(__builtin_inf());
        position_ = Positions{};
    }

    void store(std::size_t start) const {
        *reinterpret_cast<Values*>(out_.distance + start) = best_;
        if constexpr (kPositions) {
            for (std::size_t lane = 0; lane < kWidth; ++lane) out_.position[start + lane] = position_[lane];
        }
    }

    // All targets of a leaf against the queries.
    void scan(std::size_t leaf) {
        const Scalar* x = &to_.axes[0].points[leaf * kLeaf];
        const Scalar* y = &to_.axes[1].points[leaf * kLeaf];
        const Scalar* z = &to_.axes[2].points[leaf * kLeaf];
        Values best = best_;
        for (std::size_t t = 0; t < kLeaf; ++t) {
            const Values distance = squared_norm(query_[0] - x[t], query_[1] - y[t], query_[2] - z[t]);
            if constexpr (kPositions) {
                position_ = distance < best ? Positions{} + static_cast<Position>(leaf * kLeaf + t) : position_;
            }
            best = distance < best ? distance : best;
        }
        best_ = best;
    }

    // The leaves that may still hold a nearer target than the leaf scanned first.
    void search_rest(std::size_t scanned) {
        Scalar worst = largest(best_);
        for (std::size_t start = 0; start < to_.leaves; start += kWidth) {
            if (!any_less(at(out_.bounds + start), Values{} + worst)) continue;
            const std::size_t end = start + kWidth < to_.leaves ? start + kWidth : to_.leaves;
            for (std::size_t leaf = start; leaf < end; ++leaf) {
                if (!(out_.bounds[leaf] < worst) || leaf == scanned || !may_improve(leaf)) continue;
                scan(leaf);
                worst = largest(best_);
            }
        }
    }

    // Whether the box of a leaf is nearer to one of the queries than its nearest target so far.
    bool may_improve(std::size_t leaf) const {
        const Values zero{};
        Values gap[3];
        for (std::size_t axis = 0; axis < 3; ++axis) {
            const auto& targets = to_.axes[axis];
            gap[axis] = max(max(targets.low[leaf] - query_[axis], query_[axis] - targets.high[leaf]), zero);
        }
        return any_less(squared_norm(gap[0], gap[1], gap[2]), best_);
    }

    static Scalar largest(Values values) {
        Scalar lanes[kWidth];
        *reinterpret_cast<Values*>(lanes) = values;
        for (std::size_t half = kWidth / 2; half > 0; half /= 2) {
            for (std::size_t lane = 0; lane < half; ++lane) {
                lanes[lane] = lanes[lane] > lanes[lane + half] ? lanes[lane] : lanes[lane + half];
            }
        }
        return lanes[0];
    }

    const Cloud<Scalar>& from_;
    const Cloud<Scalar>& to_;
    const Nearest<Scalar> out_;
    Values query_[3];
    Values best_;
    Positions position_;
};

template <class Scalar>
void search(const Cloud<Scalar>& from, const Cloud<Scalar>& to, Nearest<Scalar> out) {
    out.position ? Search<true, Scalar>(from, to, out).run() : Search<false, Scalar>(from, to, out).run();
}

}  // namespace
}  // namespace clouds
