// The few samples that a candidate is close to, found at the speed of memory.
#pragma once

#include "kmedoids_distances.hpp"

#include <algorithm>
#include <cstring>

namespace kmedoids {

// Samples that lie closer to a candidate than a limit of their own: only they matter to what the candidate is worth.
// With k medoids they are about N / k. The others cost a comparison each, many at a time.
class Closer {
public:
    explicit Closer(const Distances& distances)
        : below_((distances.extent() + kWord - 1) / kWord * kWord, 0), found_((distances.size() + 63) / 64, 0) {}

    // Calls visit(sample, distance) for each sample with distances[candidate][sample] < limit[sample].
    template <class Visit>
    void visit(const Distances& distances, Index candidate, const std::vector<float>& limit, const Visit& body) {
        const float* row = distances[candidate];
        compare(row, limit.data(), distances.extent());
        sort(distances);
        const Index* order = distances.order().data();
        for (std::size_t word = 0; word < found_.size(); ++word) {
            for (std::uint64_t bits = found_[word]; bits != 0; bits &= bits - 1) {
                const Index sample = order[static_cast<Index>(word * 64) + __builtin_ctzll(bits)];
                body(sample, row[sample]);
            }
            found_[word] = 0;
        }
    }

private:
    static constexpr Index kWord = 8;  // bytes that are looked at together

    void compare(const float* row, const float* limit, Index extent) {
        std::uint8_t* below = below_.data();  // a loop so plain that the compiler makes it vectors
        for (Index j = 0; j < extent; ++j) below[j] = row[j] < limit[j];
    }

    // One bit a position: they come out in canonical order.
    void sort(const Distances& distances) {
        for (Index begin = 0; begin < static_cast<Index>(below_.size()); begin += kWord) {
            std::uint64_t bytes;
            std::memcpy(&bytes, below_.data() + begin, sizeof bytes);
            if (bytes == 0) continue;
            for (Index j = begin; j < begin + kWord; ++j) {
                if (below_[j] == 0) continue;
                const Index position = distances.position(j);
                if (position < 0) continue;
                found_[position / 64] |= std::uint64_t{1} << (position % 64);
            }
        }
    }

    std::vector<std::uint8_t> below_;   // by sample
    std::vector<std::uint64_t> found_;  // by position
};

}  // namespace kmedoids
