// FasterPAM: Schubert & Rousseeuw, "Fast and eager k-medoids clustering", Information Systems 101 (2021).
#pragma once

#include "kmedoids_assignment.hpp"
#include "kmedoids_closer.hpp"

namespace kmedoids {

class FasterPAM {
public:
    FasterPAM(const Distances& distances, Indices medoids)
        : distances_(&distances),
          medoids_(std::move(medoids)),
          is_medoid_(distances.extent(), false),
          assignment_(assign(distances, medoids_)),
          removal_loss_(medoids_.size()),
          change_(medoids_.size()),
          open_((distances.size() + 63) / 64, 0),
          closer_(distances) {
        for (const Index medoid : medoids_) is_medoid_[medoid] = true;
        sum_up();
    }

    const Indices& medoids() const { return medoids_; }
    double inertia() const { return inertia_; }
    bool is_medoid(Index sample) const { return is_medoid_[sample]; }

    // Swaps as soon as a candidate improves, and stops after a full round of candidates without a swap.
    void run(int max_iter) {
        const Index size = distances_->size();
        const Index budget = size * static_cast<Index>(max_iter);
        Index idle = 0;
        for (Index step = 0; step < budget && idle < size; ++step, ++idle) {
            if (try_candidate(distances_->order()[step % size])) idle = 0;
        }
        std::fill(open_.begin(), open_.end(), 0);
    }

    // The same among the samples that have changed medoid since, by `replace` or by swaps that follow from it: most
    // improvements are there, for a fraction of the work. Returns the candidates looked at, hardly more than `budget`.
    Index settle(Index budget) {
        Index tried = 0;
        for (Index before = -1; tried != before && tried < budget;) {
            before = tried;
            for (std::size_t word = 0; word < open_.size(); ++word) {
                while (open_[word] != 0 && tried < budget) {
                    const Index position = static_cast<Index>(word * 64) + __builtin_ctzll(open_[word]);
                    open_[word] &= open_[word] - 1;
                    try_candidate(distances_->order()[position]);
                    ++tried;
                }
            }
        }
        std::fill(open_.begin(), open_.end(), 0);
        return tried;
    }

    // For `settle`: the samples that medoids from slot `first_new` on are near to count as changed.
    void open(Slot first_new) {
        for (const Index j : distances_->order()) {
            if (std::max(assignment_.nearest[j], assignment_.second[j]) >= first_new) open_at(distances_->position(j));
        }
    }

    // Makes `candidate` the medoid in `slot`, for better or worse.
    void replace(Slot slot, Index candidate) {
        is_medoid_[medoids_[slot]] = false;
        is_medoid_[candidate] = true;
        medoids_[slot] = candidate;
        const float* row = (*distances_)[candidate];
        for (Index j = 0; j < distances_->extent(); ++j) {
            if (reassign(j, slot, row[j])) open_at(distances_->position(j));
        }
        sum_up();
    }

private:
    static constexpr double kTolerance = 1e-12;

    struct Swap {
        Slot slot;
        double change;
    };

    void open_at(Index position) {
        if (position >= 0) open_[position / 64] |= std::uint64_t{1} << (position % 64);
    }

    bool try_candidate(Index candidate) {
        if (is_medoid_[candidate]) return false;
        const Swap swap = best_swap(candidate);
        // Less than the rounding of the sums is no improvement, and might be undone for ever.
        if (swap.change >= -kTolerance * inertia_) return false;
        replace(swap.slot, candidate);
        return true;
    }

    // The inertia, and what removing each medoid would cost, its samples going to their second (Eq. 9).
    void sum_up() {
        double inertia = 0.0;
        std::fill(removal_loss_.begin(), removal_loss_.end(), 0.0);
        for (const Index j : distances_->order()) {
            const double first = assignment_.first_distance[j], second = assignment_.second_distance[j];
            inertia += first;
            removal_loss_[assignment_.nearest[j]] += second - first;
        }
        inertia_ = inertia;
    }

    // The change in inertia for the candidate against all medoids at once: O(N + k) rather than O(N k) (Alg. 3).
    Swap best_swap(Index candidate) {
        std::copy(removal_loss_.begin(), removal_loss_.end(), change_.begin());
        double shared = 0.0;
        closer_.visit(*distances_, candidate, assignment_.second_distance, [&](Index j, float distance) {
            const double first = assignment_.first_distance[j], second = assignment_.second_distance[j];
            shared += std::min(distance - first, 0.0);
            change_[assignment_.nearest[j]] += std::max<double>(distance, first) - second;
        });
        const auto least = std::min_element(change_.begin(), change_.end());
        return {static_cast<Slot>(least - change_.begin()), *least + shared};
    }

    // The medoid in `slot` is now another, at `distance` from the sample. Whether that changes its first or second.
    bool reassign(Index sample, Slot slot, float distance) {
        Slot& nearest = assignment_.nearest[sample];
        Slot& second = assignment_.second[sample];
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
            assign_sample(*distances_, medoids_, sample, assignment_);
        } else {
            return false;
        }
        return true;
    }

    const Distances* distances_;  // not a reference: a solution is copied to be shaken
    Indices medoids_;
    std::vector<bool> is_medoid_;
    Assignment assignment_;
    double inertia_ = 0.0;
    std::vector<double> removal_loss_;
    std::vector<double> change_;
    std::vector<std::uint64_t> open_;  // one bit a position
    Closer closer_;
};

}  // namespace kmedoids
