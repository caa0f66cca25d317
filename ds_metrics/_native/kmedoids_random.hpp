// SplitMix64: the same numbers from the same seed on every platform, which <random> distributions do not promise.
#pragma once

#include <cstdint>

namespace kmedoids {

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

// The finaliser of SplitMix64 (Steele, Lea & Flood 2014), also used as the hash of the canonical order.
inline std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

class Random {
public:
    // Each start of a solver draws from a stream of its own, so that start i does not depend on how many there are.
    Random(std::uint64_t seed, std::uint64_t stream) : state_(mix(seed + kGolden) ^ mix(mix(stream + kGolden))) {}

    std::uint64_t next() { return mix(state_ += kGolden); }

    // Uniform in [0, 1), on the 2^53 multiples of 2^-53.
    double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

private:
    std::uint64_t state_;
};

}  // namespace kmedoids
