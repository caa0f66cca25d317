// The alternating k-medoids of Park & Jun (2009).
#pragma once

#include "kmedoids_assignment.hpp"

namespace kmedoids {

// In turn: assign each sample to its nearest medoid, make each cluster's most central member its medoid.
inline Indices alternate(const Distances& distances, Indices medoids, int max_iter) {
    for (int iteration = 0; iteration < max_iter; ++iteration) {
        const Assignment assignment = assign(distances, medoids);
        std::vector<Indices> members(medoids.size());
        for (const Index j : distances.order()) members[assignment.nearest[j]].push_back(j);
        bool changed = false;
        for (std::size_t slot = 0; slot < medoids.size(); ++slot) {
            const Index medoid = medoid_of(distances, members[slot], medoids[slot]);
            changed |= medoid != medoids[slot];
            medoids[slot] = medoid;
        }
        if (!changed) break;
    }
    return medoids;
}

}  // namespace kmedoids
