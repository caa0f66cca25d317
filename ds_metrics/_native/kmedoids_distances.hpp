// A symmetric distance matrix, read where it lies, and the order in which its samples are gone through.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace kmedoids {

using Index = std::int64_t;
using Indices = std::vector<Index>;

// Samples are counted as the caller counts them. But wherever the sequence matters, in sums, draws and ties, they
// are gone through in canonical order: the same terms come in the same sequence however the caller has ordered them.
class Distances {
public:
    // `order` lists the samples that count, all of the matrix or a part; `position` tells where each of the matrix
    // stands there, -1 if it doesn't. All three stay the caller's.
    Distances(const float* data, const Indices& order, const Indices& position)
        : data_(data), order_(order), position_(position) {}

    Index size() const { return static_cast<Index>(order_.size()); }
    Index extent() const { return static_cast<Index>(position_.size()); }  // of a row, and of arrays by sample
    const float* data() const { return data_; }
    const float* operator[](Index sample) const { return data_ + static_cast<std::size_t>(sample) * extent(); }
    const Indices& order() const { return order_; }
    Index position(Index sample) const { return position_[sample]; }

private:
    const float* data_;
    const Indices& order_;
    const Indices& position_;
};

// For draws and ties among samples that come in an order of the caller's.
inline void sort_canonically(const Distances& distances, Indices& samples) {
    std::sort(samples.begin(), samples.end(),
              [&](Index a, Index b) { return distances.position(a) < distances.position(b); });
}

// The sample with the least sum of distances to `members`, which it is one of. `incumbent` stays unless beaten.
inline Index medoid_of(const Distances& distances, const Indices& members, Index incumbent) {
    const auto cost = [&](Index candidate) {
        const float* row = distances[candidate];
        double sum = 0.0;
        for (const Index member : members) sum += row[member];
        return sum;
    };
    Index best = incumbent;
    double least = cost(incumbent);
    for (const Index candidate : members) {
        const double sum = cost(candidate);
        if (sum < least) {
            least = sum;
            best = candidate;
        }
    }
    return best;
}

}  // namespace kmedoids
