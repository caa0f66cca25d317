// The solvers behind one door: the best of several starts, or the improvement of given medoids.
#pragma once

#include "kmedoids_alternate.hpp"
#include "kmedoids_order.hpp"
#include "kmedoids_seeding.hpp"
#include "kmedoids_shaking.hpp"
#include "parallel.hpp"

namespace kmedoids {

enum class Solver { kAlternate, kFasterPAM };

inline Index central_sample(const Distances& distances) {
    return medoid_of(distances, distances.order(), distances.order().front());
}

inline Indices refine(const Distances& distances, Indices medoids, Solver solver, int max_iter) {
    if (medoids.size() == 1) return {central_sample(distances)};  // exact, and there is no second to swap with
    if (solver == Solver::kAlternate) return alternate(distances, std::move(medoids), max_iter);
    FasterPAM solution(distances, std::move(medoids));
    solution.run(max_iter);
    return solution.medoids();
}

// A solution for more clusters from one for fewer: greedy additions, improved around them and then by `shake`.
inline Indices grow(const Distances& distances, Indices medoids, Index n_clusters, int max_iter, int passes,
                    Random random) {
    if (n_clusters == 1) return {central_sample(distances)};
    sort_canonically(distances, medoids);
    FasterPAM solution(distances, extend(distances, medoids, n_clusters));
    solution.open(static_cast<Slot>(medoids.size()));
    solution.settle(distances.size() * static_cast<Index>(max_iter));
    shake(distances, solution, passes, random);
    return solution.medoids();
}

// The best of `n_init` seeded starts. FasterPAM goes on from where `alternate` ends on the same seeds, so that it is
// never above it. The local optima it finds are as good as those it reaches from the seeds themselves.
inline Indices solve(const Distances& distances, Index n_clusters, Solver solver, std::uint64_t seed, int n_init,
                     int max_iter, int passes, int threads) {
    std::vector<Indices> found(n_init);
    std::vector<double> inertia(n_init);
    ds::parallel_for(n_init, 1, threads, [&](int, std::int64_t start) {
        Random random(seed, static_cast<std::uint64_t>(start));
        Indices medoids = plus_plus(distances, n_clusters, random);
        medoids = refine(distances, std::move(medoids), Solver::kAlternate, max_iter);
        if (solver != Solver::kAlternate) medoids = refine(distances, std::move(medoids), solver, max_iter);
        inertia[start] = inertia_of(distances, assign(distances, medoids));
        found[start] = std::move(medoids);
    });
    Indices best = found[std::min_element(inertia.begin(), inertia.end()) - inertia.begin()];
    if (solver == Solver::kAlternate || passes == 0 || n_clusters == 1) return best;
    FasterPAM solution(distances, std::move(best));
    Random random(seed, static_cast<std::uint64_t>(-1));
    shake(distances, solution, passes, random);
    solution.run(max_iter);
    return solution.medoids();
}

}  // namespace kmedoids
