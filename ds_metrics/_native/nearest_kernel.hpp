// Exact nearest-neighbour search, queries side by side in vector lanes.
//
// Included once per instruction set, after a traits class `Isa<T>` with
//   V, width      the vector type and its lanes,
//   registers     vectors in a group of queries,
//   less(a, b)    bit k set where a[k] < b[k],
//   append(list, base, mask)   writes base + k for every bit k of mask, and maybe rubbish up to
//                 `width` numbers past them; returns how many it wrote.
// Everything here is in an unnamed namespace and calls no library function, so that no code compiled
// for one instruction set can be linked into another.

#include "nearest_group.hpp"

namespace ds {
namespace {

// Slot in [begin, end) of the box with its centre nearest to that of the group.
template <class T>
DS_INLINE std::int32_t nearest_centre(const Group<T>& group, const Boxes<T>& boxes, std::int32_t begin,
                                      std::int32_t end) {
    using V = typename Isa<T>::V;
    V best = splat<V>(T(__builtin_huge_val()));
    typename Group<T>::Leaf where{};
    for (std::int32_t slot = begin; slot < end; slot += Isa<T>::width) {
        V gap[3]; // twice the difference of the centres; NaN in unused slots, which never win
        for (int d = 0; d < 3; ++d)
            gap[d] = (load<V>(boxes.lo[d] + slot) + load<V>(boxes.hi[d] + slot)) - (group.lo[d] + group.hi[d]);
        const V squared = squared_norm(gap[0], gap[1], gap[2]);
        where = squared < best ? where - where + slot : where;
        best = vmin(squared, best);
    }
    const T least = -largest<T, Isa<T>::width>(-best);
    const int lane = __builtin_ctz(~Isa<T>::less(splat<V>(least), best));
    return static_cast<std::int32_t>(where[lane]) + lane;
}

// Target blocks that can hold the nearest point of some query of a block, their boxes side by side.
template <class T>
struct NearBlocks {
    std::int32_t count;
    const std::int32_t* ids;
    Boxes<T> boxes;
};

template <class T>
DS_INLINE NearBlocks<T> gather_blocks(const Cloud<T>& queries, std::int32_t block, const Cloud<T>& targets,
                                      const KernelScratch<T>& scratch) {
    using V = typename Isa<T>::V;
    constexpr int width = Isa<T>::width;
    const Boxes<T> boxes = targets.block_boxes;
    V lo[3], hi[3], least = splat<V>(T(__builtin_huge_val()));
    for (int d = 0; d < 3; ++d) {
        lo[d] = splat<V>(queries.block_boxes.lo[d][block]);
        hi[d] = splat<V>(queries.block_boxes.hi[d][block]);
    }
    for (std::int32_t slot = 0; slot < targets.blocks; slot += width)
        least = vmin(farthest_bounds(lo, hi, boxes, slot), least);
    const V reach = splat<V>(-largest<T, width>(-least));
    std::int32_t count = 0;
    for (std::int32_t slot = 0; slot < targets.blocks; slot += width) {
        const unsigned beyond = Isa<T>::less(reach, nearest_bounds(lo, hi, boxes, slot));
        count += Isa<T>::append(scratch.near_ids + count, slot, ~beyond & ((1u << width) - 1));
    }
    const std::int32_t padded = round_up(count, kBlock);
    NearBlocks<T> near{count, scratch.near_ids, {}};
    for (int d = 0; d < 3; ++d) {
        T *near_lo = scratch.near_boxes + 2 * d * padded, *near_hi = near_lo + padded;
        near.boxes.lo[d] = near_lo;
        near.boxes.hi[d] = near_hi;
        for (std::int32_t k = 0; k < count; ++k) {
            near_lo[k] = boxes.lo[d][near.ids[k]];
            near_hi[k] = boxes.hi[d][near.ids[k]];
        }
        for (std::int32_t k = count; k < padded; ++k) {
            near_lo[k] = T(__builtin_huge_val());
            near_hi[k] = -T(__builtin_huge_val());
        }
    }
    return near;
}

template <class T>
DS_INLINE std::int32_t first_leaf(const Group<T>& group, const NearBlocks<T>& near, const Cloud<T>& targets) {
    const std::int32_t leaf = near.ids[nearest_centre(group, near.boxes, 0, near.count)] * kBlock;
    return nearest_centre(group, targets.leaf_boxes, leaf, leaf + kBlock);
}

// Lists the leaves with a bound below the worst best of the group. Returns their number.
template <class T>
DS_INLINE std::int32_t list_leaves(const Group<T>& group, const NearBlocks<T>& near, const Cloud<T>& targets,
                                   std::int32_t* blocks, std::int32_t* leaves) {
    using V = typename Isa<T>::V;
    constexpr int width = Isa<T>::width;
    const Boxes<T> leaf_boxes = targets.leaf_boxes;
    const V worst = splat<V>(group.worst());
    std::int32_t block_count = 0, leaf_count = 0;
    for (std::int32_t slot = 0; slot < near.count; slot += width) {
        const unsigned closer = Isa<T>::less(nearest_bounds(group.lo, group.hi, near.boxes, slot), worst);
        block_count += Isa<T>::append(blocks + block_count, slot, closer);
    }
    for (std::int32_t k = 0; k < block_count; ++k)
        for (std::int32_t part = 0; part < kBlock; part += width) {
            const std::int32_t slot = near.ids[blocks[k]] * kBlock + part;
            const unsigned closer = Isa<T>::less(nearest_bounds(group.lo, group.hi, leaf_boxes, slot), worst);
            leaf_count += Isa<T>::append(leaves + leaf_count, slot, closer);
        }
    return leaf_count;
}

// Keeps the leaves, other than `visited`, that reach some query. Without branches, as they would be
// mispredicted all the time. Returns their number.
template <class T>
DS_INLINE std::int32_t keep_reaching(const Group<T>& group, const Cloud<T>& targets, std::int32_t visited,
                                     std::int32_t* leaves, std::int32_t count) {
    const Boxes<T> leaf_boxes = targets.leaf_boxes;
    std::int32_t kept = 0;
    for (std::int32_t k = 0; k < count; ++k) {
        const std::int32_t leaf = leaves[k];
        leaves[kept] = leaf;
        kept += (leaf != visited) & group.reaches(leaf_boxes, leaf);
    }
    return kept;
}

template <bool keep_leaf, class T>
void nearest(const Cloud<T>& queries, const Cloud<T>& targets_, T* squared, std::int32_t* leaves,
             const KernelScratch<T>& scratch) {
    using V = typename Isa<T>::V;
    using G = Group<T>;
    constexpr int groups = kBlockPoints / G::size;
    const Cloud<T> targets = targets_; // a copy that stores to scratch memory cannot change
    std::int32_t* const near_leaves = scratch.near_leaves;
    for (std::int32_t block = 0; block < queries.blocks; ++block) {
        const std::int32_t remaining = (queries.size - block * kBlockPoints + G::size - 1) / G::size;
        const int used = remaining < groups ? remaining : groups;
        const NearBlocks<T> near = gather_blocks(queries, block, targets, scratch);
        G group[groups];
        std::int32_t seed[groups];
        // The groups of a block take their first step together: each is one long chain of
        // dependent instructions, which overlap that way.
        for (int g = 0; g < used; ++g) {
            group[g].start(queries, block * kBlockPoints + g * G::size);
            seed[g] = first_leaf(group[g], near, targets);
        }
        for (int g = 0; g < used; ++g) group[g].template visit<keep_leaf>(targets, seed[g]);
        for (int g = 0; g < used; ++g) {
            const std::int32_t first = block * kBlockPoints + g * G::size;
            G current = group[g];
            const std::int32_t count = list_leaves(current, near, targets, scratch.near_blocks, near_leaves);
            const std::int32_t kept = keep_reaching(current, targets, seed[g], near_leaves, count);
            for (std::int32_t k = 0; k < kept; ++k) current.template visit<keep_leaf>(targets, near_leaves[k]);
            for (int r = 0; r < G::registers; ++r) {
                *reinterpret_cast<V*>(squared + first + r * G::width) = current.best[r];
                if constexpr (keep_leaf)
                    for (int k = 0; k < G::width; ++k)
                        leaves[first + r * G::width + k] = static_cast<std::int32_t>(current.leaf[r][k]);
            }
        }
    }
}

template <class T>
void nearest(const Cloud<T>& queries, const Cloud<T>& targets, T* squared, std::int32_t* leaves,
             const KernelScratch<T>& scratch) {
    if (leaves)
        nearest<true>(queries, targets, squared, leaves, scratch);
    else
        nearest<false>(queries, targets, squared, leaves, scratch);
}

#undef DS_INLINE

} // namespace
} // namespace ds

// The entry points of one instruction set, as declared in nearest_isa.hpp.
#define DS_DEFINE_KERNEL(isa)                                                                                    \
    void ds::nearest_##isa(const Cloud<float>& queries, const Cloud<float>& targets, float* squared,            \
                           std::int32_t* leaves, const KernelScratch<float>& scratch) {                         \
        nearest(queries, targets, squared, leaves, scratch);                                                    \
    }                                                                                                           \
    void ds::nearest_##isa(const Cloud<double>& queries, const Cloud<double>& targets, double* squared,         \
                           std::int32_t* leaves, const KernelScratch<double>& scratch) {                        \
        nearest(queries, targets, squared, leaves, scratch);                                                    \
    }
