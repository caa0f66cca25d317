// An order of the samples that depends on their distances alone, not on the order in which they came.
#pragma once

#include "kmedoids_distances.hpp"
#include "kmedoids_random.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace kmedoids {

using Keys = std::vector<std::uint64_t>;

inline std::uint64_t bits_of(float value) {
    value += 0.0f;  // -0.0 becomes 0.0
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

// One round of colour refinement (Weisfeiler & Leman 1968): a sample's new key mixes its own with the multiset of
// (distance, key) over all samples. The sum wraps around, so the order of its terms does not matter.
inline Keys refine_keys(const float* data, Index size, const Keys& keys) {
    Keys salted(size), refined(size);
    std::transform(keys.begin(), keys.end(), salted.begin(), [](std::uint64_t key) { return mix(key + kGolden); });
    for (Index i = 0; i < size; ++i) {
        const float* row = data + static_cast<std::size_t>(i) * size;
        std::uint64_t sum = salted[i];
        for (Index j = 0; j < size; ++j) sum += mix(bits_of(row[j]) * kGolden + salted[j]);
        refined[i] = mix(sum);
    }
    return refined;
}

inline Index count_distinct(Keys keys) {
    std::sort(keys.begin(), keys.end());
    return std::unique(keys.begin(), keys.end()) - keys.begin();
}

// Rounds go on while they tell more samples apart; generic data is done after the first. Samples that stay tied are
// duplicates or mirror images of each other and keep the order in which they came.
inline Indices canonical_order(const float* data, Index size) {
    Keys keys(size, 0);
    for (Index classes = 0, refined = 1; classes < refined && refined < size;) {
        classes = refined;
        keys = refine_keys(data, size, keys);
        refined = count_distinct(keys);
    }
    Indices order(size);
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return keys[a] < keys[b]; });
    return order;
}

}  // namespace kmedoids
