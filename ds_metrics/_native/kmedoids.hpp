// The solvers behind one door: the best of several starts, or the improvement of given medoids.
#pragma once

#include "kmedoids_alternate.hpp"
#include "kmedoids_fasterpam.hpp"
#include "kmedoids_order.hpp"
#include "kmedoids_seeding.hpp"

namespace kmedoids {

enum class Solver { kAlternate, kFasterPAM };

inline Index central_sample(const Distances& distances) {
    Indices everyone(distances.size());
    std::iota(everyone.begin(), everyone.end(), Index{0});
    return medoid_of(distances, everyone, 0);
}

inline Indices refine(const Distances& distances, Indices medoids, Solver solver, int max_iter) {
    if (medoids.size() == 1) return {central_sample(distances)};  // exact, and there is no second to swap with
    if (solver == Solver::kAlternate) return alternate(distances, std::move(medoids), max_iter);
    return FasterPAM(distances, std::move(medoids)).run(max_iter);
}

// FasterPAM goes on from where `alternate` ends on the same seeds, so that it is never above it. The local optima
// it finds are as good as those it reaches from the seeds themselves.
inline Indices solve(const Distances& distances, Index n_clusters, Solver solver, std::uint64_t seed, int n_init,
                     int max_iter) {
    Indices best;
    double least = std::numeric_limits<double>::infinity();
    for (int start = 0; start < n_init; ++start) {
        Random random(seed, static_cast<std::uint64_t>(start));
        Indices medoids = plus_plus(distances, n_clusters, random);
        medoids = refine(distances, std::move(medoids), Solver::kAlternate, max_iter);
        if (solver != Solver::kAlternate) medoids = refine(distances, std::move(medoids), solver, max_iter);
        const double inertia = assign(distances, medoids).inertia();
        if (inertia < least) {
            least = inertia;
            best = std::move(medoids);
        }
    }
    return best;
}

}  // namespace kmedoids
