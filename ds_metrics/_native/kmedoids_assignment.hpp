// Which medoid is nearest to each sample, and which comes second.
#pragma once

#include "kmedoids_distances.hpp"

#include <algorithm>

namespace kmedoids {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

using Slot = std::int32_t;  // position in the medoids; as wide as a distance, so that both fit the same vectors
using Slots = std::vector<Slot>;

struct Assignment {
    Slots nearest;
    Slots second;                       // the runner-up, -1 with a single medoid
    std::vector<float> first_distance;  // infinity where distances are not numbers
    std::vector<float> second_distance;

    explicit Assignment(Index extent)
        : nearest(extent, 0),
          second(extent, -1),
          first_distance(extent, kInfinity),
          second_distance(extent, kInfinity) {}
};

// Summed in canonical order, hence the same to the bit for any order of the samples.
inline double inertia_of(const Distances& distances, const Assignment& assignment) {
    double sum = 0.0;
    for (const Index sample : distances.order()) sum += assignment.first_distance[sample];
    return sum;
}

// A medoid belongs to its own cluster even where a duplicate of it is a medoid too: no cluster is ever empty.
inline void keep_own_cluster(Index medoid, Slot slot, float distance, Assignment& out) {
    if (out.nearest[medoid] == slot) return;
    out.second[medoid] = out.nearest[medoid];
    out.second_distance[medoid] = out.first_distance[medoid];
    out.nearest[medoid] = slot;
    out.first_distance[medoid] = distance;
}

// One more medoid for all samples, without a branch: of equally near ones the first in `medoids` counts.
inline void offer(const float* row, Slot slot, Index extent, Assignment& out) {
    float* first = out.first_distance.data();
    float* second = out.second_distance.data();
    Slot* nearest = out.nearest.data();
    Slot* runner_up = out.second.data();
    for (Index j = 0; j < extent; ++j) {
        const float distance = row[j];
        const bool is_first = distance < first[j], is_second = distance < second[j];
        runner_up[j] = is_first ? nearest[j] : (is_second ? slot : runner_up[j]);
        second[j] = is_first ? first[j] : (is_second ? distance : second[j]);
        nearest[j] = is_first ? slot : nearest[j];
        first[j] = is_first ? distance : first[j];
    }
}

inline Assignment assign(const Distances& distances, const Indices& medoids) {
    Assignment out(distances.extent());
    for (std::size_t slot = 0; slot < medoids.size(); ++slot) {
        offer(distances[medoids[slot]], static_cast<Slot>(slot), distances.extent(), out);
    }
    for (std::size_t slot = 0; slot < medoids.size(); ++slot) {
        const Index medoid = medoids[slot];
        keep_own_cluster(medoid, static_cast<Slot>(slot), distances[medoid][medoid], out);
    }
    if (medoids.size() == 1) std::fill(out.second.begin(), out.second.end(), Slot{-1});
    return out;
}

// `assign` for one sample.
inline void assign_sample(const Distances& distances, const Indices& medoids, Index sample, Assignment& out) {
    const float* row = distances[sample];
    Slot nearest = 0, second = -1, own = -1;
    float first_distance = kInfinity, second_distance = kInfinity;
    for (Slot slot = 0; slot < static_cast<Slot>(medoids.size()); ++slot) {
        const float distance = row[medoids[slot]];
        if (medoids[slot] == sample) own = slot;
        if (distance < first_distance) {
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
    if (own >= 0) keep_own_cluster(sample, own, row[sample], out);
}

}  // namespace kmedoids
