// Out of local optima: basic variable neighbourhood search for the p-median problem (Hansen & Mladenovic 1997).
#pragma once

#include "kmedoids_fasterpam.hpp"
#include "kmedoids_random.hpp"

namespace kmedoids {

constexpr std::size_t kMostShaken = 6;

// Replaces a few medoids by random samples, repairs what that broke, keeps the result if it is better, and again,
// until `passes` times as many candidates as there are samples were looked at.
inline void shake(const Distances& distances, FasterPAM& best, int passes, Random& random) {
    const Index size = distances.size();
    const auto draw = [&](std::size_t count) {
        return static_cast<std::size_t>(random.uniform() * static_cast<double>(count));
    };
    const std::size_t n_clusters = best.medoids().size();
    if (static_cast<Index>(n_clusters) == size) return;
    const Index budget = size * static_cast<Index>(passes);
    for (Index tried = 0; tried < budget && best.inertia() > 0.0;) {
        FasterPAM trial = best;
        const std::size_t strength = 1 + draw(std::min(n_clusters, kMostShaken));
        for (std::size_t k = 0; k < strength; ++k) {
            Index candidate;
            do candidate = distances.order()[draw(distances.order().size())];
            while (trial.is_medoid(candidate));
            trial.replace(static_cast<Slot>(draw(n_clusters)), candidate);
        }
        tried += 1 + trial.settle(budget - tried);
        if (trial.inertia() < best.inertia()) best = std::move(trial);
    }
}

}  // namespace kmedoids
