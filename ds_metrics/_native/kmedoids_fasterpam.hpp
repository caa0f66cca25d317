// FasterPAM: Schubert & Rousseeuw, "Fast and eager k-medoids clustering", Information Systems 101 (2021).
#pragma once

#include "kmedoids_assignment.hpp"

#include <algorithm>

namespace kmedoids {

class FasterPAM {
public:
    FasterPAM(const Distances& distances, Indices medoids)
        : distances_(distances),
          medoids_(std::move(medoids)),
          is_medoid_(distances.size(), false),
          assignment_(assign(distances, medoids_)),
          inertia_(assignment_.inertia()),
          removal_loss_(medoids_.size()),
          change_(medoids_.size()) {
        for (const Index medoid : medoids_) is_medoid_[medoid] = true;
        update_removal_loss();
    }

    // Swaps as soon as a candidate improves, and stops after a full round of candidates without a swap.
    Indices run(int max_iter) {
        const Index size = distances_.size();
        const Index budget = size * static_cast<Index>(max_iter);
        Index idle = 0;
        for (Index step = 0; step < budget && idle < size; ++step, ++idle) {
            const Index candidate = step % size;
            if (is_medoid_[candidate]) continue;
            const Swap swap = best_swap(candidate);
            // Less than the rounding of the sums is no improvement, and might be undone for ever.
            if (swap.change < -kTolerance * inertia_) {
                apply(candidate, swap.slot);
                idle = 0;
            }
        }
        return medoids_;
    }

private:
    static constexpr double kTolerance = 1e-12;

    struct Swap {
        Index slot;
        double change;
    };

    // What removing each medoid would cost, its samples going to their second (Eq. 9).
    void update_removal_loss() {
        std::fill(removal_loss_.begin(), removal_loss_.end(), 0.0);
        for (Index j = 0; j < distances_.size(); ++j) {
            removal_loss_[assignment_.nearest[j]] +=
                static_cast<double>(assignment_.second_distance[j]) - assignment_.first_distance[j];
        }
    }

    // The change in inertia for the candidate against all medoids at once: O(N + k) rather than O(N k) (Alg. 3).
    Swap best_swap(Index candidate) {
        std::copy(removal_loss_.begin(), removal_loss_.end(), change_.begin());
        const auto row = distances_[candidate];
        double shared = 0.0;
        for (Index j = 0; j < distances_.size(); ++j) {
            const float distance = row[j];
            const double second = assignment_.second_distance[j];
            if (distance >= second) continue;
            const double first = assignment_.first_distance[j];
            if (distance < first) {
                shared += distance - first;
                change_[assignment_.nearest[j]] += first - second;
            } else {
                change_[assignment_.nearest[j]] += distance - second;
            }
        }
        const auto least = std::min_element(change_.begin(), change_.end());
        return {least - change_.begin(), *least + shared};
    }

    void apply(Index candidate, Index slot) {
        is_medoid_[medoids_[slot]] = false;
        is_medoid_[candidate] = true;
        medoids_[slot] = candidate;
        const auto row = distances_[candidate];
        for (Index j = 0; j < distances_.size(); ++j) reassign(j, slot, row[j]);
        inertia_ = assignment_.inertia();
        update_removal_loss();
    }

    // The medoid in `slot` is now another, at `distance` from the sample.
    void reassign(Index sample, Index slot, float distance) {
        Index& nearest = assignment_.nearest[sample];
        Index& second = assignment_.second[sample];
        float& first_distance = assignment_.first_distance[sample];
        float& second_distance = assignment_.second_distance[sample];
        const bool had_lost_it = nearest == slot || second == slot;
        if (distance < first_distance && nearest != slot) {
            second = nearest;
            second_distance = first_distance;
            nearest = slot;
            first_distance = distance;
        } else if (distance < second_distance && nearest == slot) {
            first_distance = distance;
        } else if (distance < second_distance) {
            second = slot;
            second_distance = distance;
        } else if (had_lost_it) {
            assign_sample(distances_, medoids_, sample, assignment_);
        }
    }

    const Distances& distances_;
    Indices medoids_;
    std::vector<bool> is_medoid_;
    Assignment assignment_;
    double inertia_;
    std::vector<double> removal_loss_;
    std::vector<double> change_;
};

}  // namespace kmedoids
