// A symmetric distance matrix read in canonical order, without copying it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace kmedoids {

using Index = std::int64_t;
using Indices = std::vector<Index>;

// Everything in this core counts samples by their position in `order`; only the bindings speak of original indices.
// Each sum therefore adds the same terms in the same sequence however the caller has ordered the samples.
class Distances {
public:
    class Row {
    public:
        Row(const float* data, const Index* order) : data_(data), order_(order) {}
        float operator[](Index j) const { return data_[order_[j]]; }

    private:
        const float* data_;
        const Index* order_;
    };

    Distances(const float* data, const Index* order, Index size) : data_(data), order_(order), size_(size) {}

    Index size() const { return size_; }
    Row operator[](Index i) const { return {data_ + static_cast<std::size_t>(order_[i]) * size_, order_}; }

private:
    const float* data_;
    const Index* order_;
    Index size_;
};

// The sample with the least sum of distances to `members`, which it is one of. `incumbent` stays unless beaten.
inline Index medoid_of(const Distances& distances, const Indices& members, Index incumbent) {
    const auto cost = [&](Index candidate) {
        const auto row = distances[candidate];
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
