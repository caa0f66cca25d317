// First medoids for the solvers to improve.
#pragma once

#include "kmedoids_distances.hpp"
#include "kmedoids_random.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>

namespace kmedoids {

// The medoids so far, with each sample's distance to the nearest of them.
class Seeds {
public:
    explicit Seeds(const Distances& distances)
        : distances_(distances),
          nearest_(distances.size(), std::numeric_limits<float>::max()),
          chosen_(distances.size(), false) {}

    void add(Index sample) {
        const auto row = distances_[sample];
        for (Index j = 0; j < distances_.size(); ++j) nearest_[j] = std::min(nearest_[j], row[j]);
        chosen_[sample] = true;
        medoids.push_back(sample);
    }

    double inertia() const { return std::accumulate(nearest_.begin(), nearest_.end(), 0.0); }

    // By how much the inertia would fall with `sample` as one more medoid.
    double gain(Index sample) const {
        const auto row = distances_[sample];
        double sum = 0.0;
        for (Index j = 0; j < distances_.size(); ++j) {
            const float distance = row[j];
            if (distance < nearest_[j]) sum += static_cast<double>(nearest_[j]) - distance;
        }
        return sum;
    }

    // A sample drawn with probability proportional to its distance; never one at distance zero. -1 when all are.
    Index draw(double total, Random& random) const {
        const double target = random.uniform() * total;
        double running = 0.0;
        for (Index j = 0; j < distances_.size(); ++j) {
            running += nearest_[j];
            if (running > target) return j;
        }
        return -1;
    }

    Index first_free() const { return std::find(chosen_.begin(), chosen_.end(), false) - chosen_.begin(); }
    bool chosen(Index sample) const { return chosen_[sample]; }

    Indices medoids;

private:
    const Distances& distances_;
    std::vector<float> nearest_;
    std::vector<bool> chosen_;
};

// Greedy k-means++ (Arthur & Vassilvitskii 2007) on distances as they are: each round draws 2 + log k samples and
// keeps the one that lowers the inertia most. Once every sample is at distance zero, free samples fill the rest.
inline Indices plus_plus(const Distances& distances, Index n_clusters, Random& random) {
    const int trials = 2 + static_cast<int>(std::log(static_cast<double>(n_clusters)));
    Seeds seeds(distances);
    seeds.add(static_cast<Index>(random.uniform() * static_cast<double>(distances.size())));
    while (static_cast<Index>(seeds.medoids.size()) < n_clusters) {
        const double total = seeds.inertia();
        Index best = seeds.draw(total, random);
        double most = best < 0 ? 0.0 : seeds.gain(best);
        for (int trial = 1; best >= 0 && trial < trials; ++trial) {
            const Index candidate = seeds.draw(total, random);
            if (candidate < 0) continue;  // only with negative distances
            const double gain = seeds.gain(candidate);
            if (gain > most) {
                most = gain;
                best = candidate;
            }
        }
        seeds.add(best < 0 ? seeds.first_free() : best);
    }
    return seeds.medoids;
}

// BUILD of PAM (Kaufman & Rousseeuw 1990), starting from `medoids`, at least one: adds whichever sample lowers the
// inertia most until there are `n_clusters`. A gain can only shrink as medoids join, so a stale one is an upper
// bound and most candidates need no second look (lazy greedy, Minoux 1978).
inline Indices extend(const Distances& distances, const Indices& medoids, Index n_clusters) {
    Seeds seeds(distances);
    for (const Index medoid : medoids) seeds.add(medoid);
    using Candidate = std::pair<double, Index>;  // gain, negated position: the earliest wins a tie
    std::priority_queue<Candidate> queue;
    if (static_cast<Index>(medoids.size()) < n_clusters) {
        for (Index j = 0; j < distances.size(); ++j) {
            if (!seeds.chosen(j)) queue.emplace(seeds.gain(j), -j);
        }
    }
    while (static_cast<Index>(seeds.medoids.size()) < n_clusters) {
        const Index sample = -queue.top().second;
        queue.pop();
        const Candidate fresh{seeds.gain(sample), -sample};
        if (queue.empty() || fresh > queue.top()) {
            seeds.add(sample);
        } else {
            queue.push(fresh);
        }
    }
    return seeds.medoids;
}

}  // namespace kmedoids
