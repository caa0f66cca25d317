// Which medoid is nearest to each sample, and which comes second.
#pragma once

#include "kmedoids_distances.hpp"

#include <numeric>

namespace kmedoids {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Assignment {
    Indices nearest;           // slot in the medoids
    Indices second;            // slot of the runner-up, -1 with a single medoid
    std::vector<float> first_distance;
    std::vector<float> second_distance;

    // Summed in canonical order, hence the same to the bit for any order of the samples.
    double inertia() const { return std::accumulate(first_distance.begin(), first_distance.end(), 0.0); }
};

// A slot is always found, even among distances that are not numbers.
inline void assign_sample(const Distances& distances, const Indices& medoids, Index sample, Assignment& out) {
    const auto row = distances[sample];
    Index nearest = 0, second = -1;
    float first_distance = row[medoids[0]], second_distance = kInfinity;
    for (Index slot = 1; slot < static_cast<Index>(medoids.size()); ++slot) {
        const float distance = row[medoids[slot]];
        // A medoid belongs to its own cluster even where a duplicate of it is a medoid too: no cluster is ever empty.
        if (distance < first_distance || medoids[slot] == sample) {
            second = nearest;
            second_distance = first_distance;
            nearest = slot;
            first_distance = distance;
        } else if (distance < second_distance) {
            second = slot;
            second_distance = distance;
        }
    }
    out.nearest[sample] = nearest;
    out.second[sample] = second;
    out.first_distance[sample] = first_distance;
    out.second_distance[sample] = second_distance;
}

inline Assignment assign(const Distances& distances, const Indices& medoids) {
    const Index size = distances.size();
    Assignment out{Indices(size), Indices(size), std::vector<float>(size), std::vector<float>(size)};
    for (Index sample = 0; sample < size; ++sample) assign_sample(distances, medoids, sample, out);
    return out;
}

}  // namespace kmedoids
