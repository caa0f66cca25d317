// The exact search, for whichever instruction set the including file has switched on, with vectors of DS_VECTOR_BYTES.
// It must stay free of functions
// that other files compile too: the linker keeps one copy, perhaps the one that this machine can't run.
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

// A register of queries stays in lanes while all targets pass by, so that nothing is reduced inside the loop. Coordinates are
// subtracted before they are squared: the expansion |p|^2 + |q|^2 - 2pq loses digits.
template <bool kPositions, class Scalar>
void search_lanes(const Cloud<Scalar>& from, const Cloud<Scalar>& to, Nearest<Scalar> out) {
    using Values = typename Lanes<Scalar>::Values;
    using Positions = typename Lanes<Scalar>::Positions;
    using Position = typename Lanes<Scalar>::Position;
    constexpr std::size_t kWidth = DS_VECTOR_BYTES / sizeof(Scalar);
    static_assert(kLanes % kWidth == 0, "the padding must fill whole vectors");
    const Scalar *tx = &to.x[0], *ty = &to.y[0], *tz = &to.z[0];
    const std::size_t targets = to.size;
    for (std::size_t start = 0; start < from.padded; start += kWidth) {
        const Values qx = *reinterpret_cast<const Values*>(&from.x[start]);
        const Values qy = *reinterpret_cast<const Values*>(&from.y[start]);
        const Values qz = *reinterpret_cast<const Values*>(&from.z[start]);
        Values best = Values{} + static_cast<Scalar>(__builtin_inf());
        Positions position{};
        for (std::size_t t = 0; t < targets; ++t) {
            const Values dx = qx - tx[t], dy = qy - ty[t], dz = qz - tz[t];
            const Values distance = dx * dx + dy * dy + dz * dz;
            if constexpr (kPositions) {
                position = distance < best ? Positions{} + static_cast<Position>(t) : position;
            }
            best = distance < best ? distance : best;
        }
        *reinterpret_cast<Values*>(out.distance + start) = best;
        if constexpr (kPositions) {
            for (std::size_t lane = 0; lane < kWidth; ++lane) out.position[start + lane] = position[lane];
        }
    }
}

template <class Scalar>
void search(const Cloud<Scalar>& from, const Cloud<Scalar>& to, Nearest<Scalar> out) {
    out.position ? search_lanes<true>(from, to, out) : search_lanes<false>(from, to, out);
}

}  // namespace
}  // namespace clouds
