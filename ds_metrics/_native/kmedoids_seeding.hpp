// First medoids for the solvers to improve.
#pragma once

#include "kmedoids_closer.hpp"
#include "kmedoids_random.hpp"

#include <cmath>
#include <queue>

namespace kmedoids {

// The medoids so far, with each sample's distance to the nearest of them.
class Seeds {
public:
    explicit Seeds(const Distances& distances)
        : distances_(distances),
          nearest_(distances.extent(), std::numeric_limits<float>::max()),
          cumulative_(distances.size()),
          chosen_(distances.extent(), false),
          closer_(distances) {}

    void add(Index sample) {
        const float* row = distances_[sample];
        for (Index j = 0; j < distances_.extent(); ++j) nearest_[j] = std::min(nearest_[j], row[j]);
        chosen_[sample] = true;
        medoids.push_back(sample);
    }

    // By how much the inertia would fall with `sample` as one more medoid.
    double gain(Index sample) {
        double sum = 0.0;
        closer_.visit(distances_, sample, nearest_, [&](Index j, float distance) {
            sum += static_cast<double>(nearest_[j]) - distance;
        });
        return sum;
    }

    // By how much the sum of squared distances would, which k-means++ lowers and draws by.
    double potential_gain(Index sample) {
        double sum = 0.0;
        closer_.visit(distances_, sample, nearest_, [&](Index j, float distance) {
            sum += square(nearest_[j]) - square(distance);
        });
        return sum;
    }

    // Sums for `draw`, after the last `add`.
    void accumulate() {
        double sum = 0.0;
        std::size_t position = 0;
        for (const Index sample : distances_.order()) cumulative_[position++] = sum += square(nearest_[sample]);
    }

    // A sample drawn with probability proportional to its squared distance; never one at distance zero. -1 when all
    // are.
    Index draw(Random& random) const {
        const double target = random.uniform() * cumulative_.back();
        const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), target);
        return found == cumulative_.end() ? -1 : distances_.order()[found - cumulative_.begin()];
    }

    Index first_free() const {
        const auto& order = distances_.order();
        return *std::find_if(order.begin(), order.end(), [&](Index sample) { return !chosen_[sample]; });
    }

    bool chosen(Index sample) const { return chosen_[sample]; }

    Indices medoids;

private:
    // In double: the square of a float can neither over- nor underflow. What is not a positive number has none.
    static double square(float distance) {
        return distance > 0 ? static_cast<double>(distance) * static_cast<double>(distance) : 0.0;
    }

    const Distances& distances_;
    std::vector<float> nearest_;
    std::vector<double> cumulative_;  // by position
    std::vector<bool> chosen_;
    Closer closer_;
};

// Greedy k-means++ (Arthur & Vassilvitskii 2007) as scikit-learn-extra has it: each round draws 2 + log k samples by
// squared distance and keeps the one that lowers the sum of squares most. Once every sample is at distance zero, free
// samples fill the rest.
inline Indices plus_plus(const Distances& distances, Index n_clusters, Random& random) {
    const int trials = 2 + static_cast<int>(std::log(static_cast<double>(n_clusters)));
    Seeds seeds(distances);
    seeds.add(distances.order()[static_cast<Index>(random.uniform() * static_cast<double>(distances.size()))]);
    while (static_cast<Index>(seeds.medoids.size()) < n_clusters) {
        seeds.accumulate();
        Index best = seeds.draw(random);
        double most = best < 0 ? 0.0 : seeds.potential_gain(best);
        for (int trial = 1; best >= 0 && trial < trials; ++trial) {
            const Index candidate = seeds.draw(random);
            if (candidate < 0) continue;  // only with infinite distances
            const double gain = seeds.potential_gain(candidate);
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
        for (Index position = 0; position < distances.size(); ++position) {
            const Index sample = distances.order()[position];
            if (!seeds.chosen(sample)) queue.emplace(seeds.gain(sample), -position);
        }
    }
    while (static_cast<Index>(seeds.medoids.size()) < n_clusters) {
        const Index position = -queue.top().second;
        const Index sample = distances.order()[position];
        queue.pop();
        const Candidate fresh{seeds.gain(sample), -position};
        if (queue.empty() || fresh > queue.top()) {
            seeds.add(sample);
        } else {
            queue.push(fresh);
        }
    }
    return seeds.medoids;
}

}  // namespace kmedoids
