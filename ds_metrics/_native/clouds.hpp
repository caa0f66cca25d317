// Point clouds prepared once for nearest-neighbour search.
//
// A cloud is split recursively at the median of its longest axis down to leaves of kLeaf points.
// Points are stored in leaf order, one array per coordinate, with a box per leaf and a box per block
// of kBlock leaves. The order is canonical: every split and every leaf is sorted by a total order on
// coordinates, so it depends on the multiset of points only, and so do all results to the bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ds {

constexpr std::int32_t kLeaf = 8;                     // points in a leaf
constexpr std::int32_t kBlock = 16;                   // leaves in a block
constexpr std::int32_t kBlockPoints = kLeaf * kBlock; // points in a block
constexpr std::int32_t kRepeated = 64; // leaves of one point each, from which on repeated points are left out

// Axis-aligned boxes, one array per number. The distance of a point to a box costs fewer instructions
// from its centre and half its extent than from its ends. Halves are rounded up by more than any error
// of a difference. Unused slots are empty boxes (mid = inf, half = -inf).
template <class T>
struct Boxes {
    const T* mid[3];
    const T* half[3];
};

// Plain data only: the kernels are compiled for several instruction sets, and an inline member
// function would be merged across them by the linker.
template <class T>
struct Cloud {
    std::int32_t size;           // points
    std::int32_t leaves;         // leaves in use; their boxes are padded to a multiple of kBlock
    std::int32_t blocks;         // blocks in use; their boxes are padded to a multiple of kBlock
    std::int32_t exponent;       // coordinates are stored times 2^exponent
    bool finite;                 // the arrays below are filled only if so
    const T* points[3];          // padded with copies of the last point
    const std::int32_t* indices; // position in the cloud as given
    Boxes<T> leaf_boxes;
    Boxes<T> pair_boxes; // of leaves 2k and 2k + 1
    Boxes<T> block_boxes;
};

constexpr std::int32_t round_up(std::int32_t value, std::int32_t step) {
    return (value + step - 1) / step * step;
}

// Lengths of the arrays of a cloud.
struct Layout {
    std::size_t points, leaf_boxes, pair_boxes, block_boxes;

    explicit Layout(std::int32_t size) {
        const std::int32_t blocks = round_up(size, kBlockPoints) / kBlockPoints;
        points = static_cast<std::size_t>(blocks) * kBlockPoints;
        leaf_boxes = static_cast<std::size_t>(blocks) * kBlock;
        pair_boxes = leaf_boxes / 2;
        block_boxes = static_cast<std::size_t>(round_up(blocks, kBlock));
    }
    std::size_t values() const { return 3 * points + 6 * (leaf_boxes + pair_boxes + block_boxes); }
};

// Owns the arrays of N clouds in one aligned allocation.
template <class T>
class CloudSet {
public:
    // points: (T, 3) row-major; offsets: (N + 1), cloud b is rows offsets[b] .. offsets[b + 1].
    CloudSet(const T* points, std::vector<std::int64_t> offsets, int threads);

    std::int64_t size() const { return static_cast<std::int64_t>(clouds_.size()); }
    std::size_t nbytes() const;
    std::int32_t largest() const { return largest_; }
    std::int64_t offset(std::int64_t cloud) const { return offsets_[static_cast<std::size_t>(cloud)]; }
    const Cloud<T>& operator[](std::int64_t cloud) const { return clouds_[static_cast<std::size_t>(cloud)]; }
    // The same places to search: each once, where many points lie at one and every query would visit all their leaves.
    const Cloud<T>& targets(std::int64_t cloud) const {
        const Distinct& distinct = distinct_[static_cast<std::size_t>(cloud)];
        return distinct.indices.empty() ? (*this)[cloud] : distinct.cloud;
    }

private:
    struct Distinct {
        Cloud<T> cloud;
        std::vector<T> values;
        std::vector<std::int32_t> indices;
    };

    void fill(std::size_t cloud, const T* rows, T* values);

    std::vector<std::int64_t> offsets_;
    std::vector<Cloud<T>> clouds_;
    std::vector<Distinct> distinct_; // empty unless `targets` needs it
    std::vector<T> values_;
    std::vector<std::int32_t> indices_;
    std::int32_t largest_ = 0;
};

// Carves the arrays of a cloud of `size` points out of `values` and records them in `cloud`.
template <class T>
void assign_arrays(Cloud<T>& cloud, const Layout& layout, T* values);

// A copy of `cloud` in `values`, stored with another (lower) exponent.
template <class T>
Cloud<T> rescale(const Cloud<T>& cloud, std::int32_t exponent, T* values);

} // namespace ds
