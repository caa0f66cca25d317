// Scores of random parts of the samples, each with medoids of its own.
#pragma once

#include "kmedoids.hpp"

namespace kmedoids {

// All samples but `left_out` of them, in canonical order. A Fisher-Yates shuffle that stops after those.
inline Indices draw_part(const Distances& distances, Index left_out, Random& random) {
    Indices samples = distances.order();
    const Index size = distances.size();
    for (Index last = size - 1; last >= size - left_out; --last) {
        std::swap(samples[static_cast<Index>(random.uniform() * static_cast<double>(last + 1))], samples[last]);
    }
    samples.resize(size - left_out);
    sort_canonically(distances, samples);
    return samples;
}

// In place of a medoid that was left out stands the nearest sample that is there.
inline Indices medoids_within(const Distances& part, Indices medoids) {
    std::vector<bool> free(part.extent(), false);
    for (const Index sample : part.order()) free[sample] = true;
    for (const Index medoid : medoids) free[medoid] = false;
    for (Index& medoid : medoids) {
        if (part.position(medoid) >= 0) continue;
        const float* row = part[medoid];
        Index nearest = -1;
        for (const Index sample : part.order()) {
            if (free[sample] && (nearest < 0 || row[sample] < row[nearest])) nearest = sample;
        }
        medoid = nearest;
        free[nearest] = false;
    }
    return medoids;
}

// The score of each of `count` parts: FasterPAM goes on from the given medoids. Part i depends on the seed and i
// alone, so the scores are the same for any number of threads. There must be more samples in a part than medoids.
inline std::vector<double> resample(const Distances& distances, Indices medoids, Index left_out, Index count,
                                    std::uint64_t seed, int max_iter, int threads) {
    sort_canonically(distances, medoids);
    std::vector<double> scores(count);
    ds::parallel_for(count, 1, threads, [&](int, std::int64_t item) {
        Random random(seed, static_cast<std::uint64_t>(item));
        const Indices samples = draw_part(distances, left_out, random);
        Indices position(distances.extent(), -1);
        for (std::size_t i = 0; i < samples.size(); ++i) position[samples[i]] = static_cast<Index>(i);
        const Distances part(distances.data(), samples, position);
        const Indices found = refine(part, medoids_within(part, medoids), Solver::kFasterPAM, max_iter);
        scores[item] = inertia_of(part, assign(part, found)) / static_cast<double>(samples.size());
    });
    return scores;
}

}  // namespace kmedoids
