// Exact nearest-neighbour search, queries side by side in vector lanes.
//
// Included once per instruction set, after a traits class `Isa<T>` with
//   V, width      the vector type and its lanes,
//   registers     vectors in a group of queries,
//   less(a, b)    bit k set where a[k] < b[k],
//   multiply_add(a, b, c)      a * b + c, with whatever rounding is cheapest,
//   compares_integers          whether vectors of integers as wide as T are compared in one instruction,
//   append(list, base, mask)   writes base + k for every bit k of mask, and maybe rubbish up to
//                 kBlock numbers past them; returns how many it wrote,
//   select(leaves, reached, count, bits, seeds, list)   likewise those leaves, other than the two
//                 seeds, of which any of the bits is reached.
// Everything here is in an unnamed namespace and calls no library function, so that no code compiled
// for one instruction set can be linked into another.

#include "nearest_group.hpp"

namespace ds {
namespace {

constexpr int kSeeds = 2;                 // leaves that a group visits first
constexpr std::int32_t kFewBlocks = 32;   // up to so many, looking for the near ones costs more than it saves
template <class T>
constexpr int kPart = Isa<T>::width < 8 ? Isa<T>::width : 8; // queries that visit leaves together after the first ones

// The leaf of the block from leaf `begin` on with its centre nearest to that of the group.
template <class T>
DS_INLINE std::int32_t nearest_centre(const Group<T>& group, const Boxes<T>& leaf_boxes, std::int32_t begin) {
    using V = typename Isa<T>::V;
    V best = splat<V>(T(__builtin_huge_val()));
    decltype(V{} < V{}) where{};
    for (std::int32_t slot = begin; slot < begin + kBlock; slot += Isa<T>::width) {
        V gap[3]; // inf in unused slots, which never win
        for (int d = 0; d < 3; ++d) gap[d] = load<V>(leaf_boxes.mid[d] + slot) - group.mid[d];
        const V squared = rough_squared_norm<T>(gap);
        where = squared < best ? where - where + slot : where;
        best = smaller<T>(squared, best);
    }
    const V least = splat<V>(-largest<T, Isa<T>::width>(-best));
    const int lane = __builtin_ctz(~Isa<T>::less(least, best));
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
    V mid[3], half[3], least = splat<V>(T(__builtin_huge_val()));
    for (int d = 0; d < 3; ++d) {
        mid[d] = splat<V>(queries.block_boxes.mid[d][block]);
        half[d] = splat<V>(queries.block_boxes.half[d][block]);
    }
    for (std::int32_t slot = 0; slot < targets.blocks; slot += width)
        least = vmin(farthest_bounds(mid, half, boxes, slot), least);
    const V reach = loosened<T>(splat<V>(-largest<T, width>(-least)));
    std::int32_t count = 0;
    for (std::int32_t slot = 0; slot < targets.blocks; slot += width) {
        const unsigned beyond = Isa<T>::less(reach, nearest_bounds(mid, half, boxes, slot));
        count += Isa<T>::append(scratch.near_ids + count, slot, ~beyond & ((1u << width) - 1));
    }
    const std::int32_t padded = round_up(count, kBlock);
    NearBlocks<T> near{count, scratch.near_ids, {}};
    for (int d = 0; d < 3; ++d) {
        T *near_mid = scratch.near_boxes + 2 * d * padded, *near_half = near_mid + padded;
        near.boxes.mid[d] = near_mid;
        near.boxes.half[d] = near_half;
        for (std::int32_t k = 0; k < count; ++k) {
            near_mid[k] = boxes.mid[d][near.ids[k]];
            near_half[k] = boxes.half[d][near.ids[k]];
        }
        for (std::int32_t k = count; k < padded; ++k) {
            near_mid[k] = T(__builtin_huge_val());
            near_half[k] = -T(__builtin_huge_val());
        }
    }
    return near;
}

template <class T>
DS_INLINE NearBlocks<T> all_blocks(const Cloud<T>& targets, const KernelScratch<T>& scratch) {
    for (std::int32_t k = 0; k < targets.blocks; ++k) scratch.near_ids[k] = k;
    return {targets.blocks, scratch.near_ids, targets.block_boxes};
}

// The two near blocks with their centres nearest to that of a group, for all groups of a block side by side.
template <class T>
DS_INLINE void find_seed_blocks(const Cloud<T>& queries, std::int32_t block, const NearBlocks<T>& near,
                                std::int32_t (*seeds)[kSeeds]) {
    typedef T V __attribute__((vector_size(kPart<T> * sizeof(T)), may_alias));
    constexpr int groups = kBlockPoints / Group<T>::size;
    const Boxes<T>& boxes = Group<T>::boxes(queries);
    for (int g = 0; g < groups; g += kPart<T>) {
        V best = splat<V>(T(__builtin_huge_val())), second = best;
        decltype(V{} < V{}) where{}, where_second{};
        for (std::int32_t k = 0; k < near.count; ++k) {
            V gap[3]; // inf in unused groups
            for (int d = 0; d < 3; ++d) gap[d] = load<V>(boxes.mid[d] + block * groups + g) - near.boxes.mid[d][k];
            const V squared = squared_norm(gap[0], gap[1], gap[2]);
            const auto first = squared < best, next = squared < second;
            where_second = first ? where : next ? where - where + k : where_second;
            second = first ? best : next ? squared : second;
            where = first ? where - where + k : where;
            best = first ? squared : best;
        }
        for (int lane = 0; lane < kPart<T>; ++lane) {
            seeds[g + lane][0] = near.ids[where[lane]];
            seeds[g + lane][1] = near.ids[where_second[lane]];
        }
    }
}

// Lists the near blocks with a bound below the limit, as positions in `near`. Returns their number.
template <class T, class V>
DS_INLINE std::int32_t list_blocks(const Group<T>& group, const NearBlocks<T>& near, V limit, std::int32_t* blocks) {
    std::int32_t count = 0;
    for (std::int32_t slot = 0; slot < near.count; slot += Isa<T>::width) {
        const unsigned closer = Isa<T>::less(nearest_bounds(group.mid, group.half, near.boxes, slot), limit);
        count += Isa<T>::append(blocks + count, slot, closer);
    }
    return count;
}

// Lists the leaves of the blocks with a bound below the limit. Returns their number.
template <class T, class V>
DS_INLINE std::int32_t list_leaves(const Group<T>& group, const NearBlocks<T>& near, const Boxes<T>& leaf_boxes,
                                   V limit, const std::int32_t* blocks, std::int32_t block_count,
                                   std::int32_t* leaves) {
    std::int32_t count = 0;
    for (std::int32_t k = 0; k < block_count; ++k)
        for (std::int32_t part = 0; part < kBlock; part += Isa<T>::width) {
            const std::int32_t slot = near.ids[blocks[k]] * kBlock + part;
            const unsigned closer = Isa<T>::less(nearest_bounds(group.mid, group.half, leaf_boxes, slot), limit);
            count += Isa<T>::append(leaves + count, slot, closer);
        }
    return count;
}

// Every step is taken for all groups of a block before the next one. A group by itself is one long chain of dependent
// instructions; side by side they overlap, and a loop's end, which a processor cannot guess, is known when it comes.
template <bool keep_leaf, class T>
void nearest(const Cloud<T>& queries, const Cloud<T>& targets_, T* squared, std::int32_t* leaves,
             const KernelScratch<T>& scratch_) {
    using G = Group<T>;
    constexpr int groups = kBlockPoints / G::size, parts = G::size / kPart<T>;
    const Cloud<T> targets = targets_; // copies that stores to scratch memory cannot change
    const KernelScratch<T> scratch = scratch_;
    const std::int32_t blocks_stride = round_up(targets.blocks, kBlock) + kBlock;
    const std::int32_t stride = targets.blocks * kBlock + kBlock;
    NearBlocks<T> near = all_blocks(targets, scratch);
    for (std::int32_t block = 0; block < queries.blocks; ++block) {
        const std::int32_t begin = block * kBlockPoints;
        const std::int32_t remaining = (queries.size - begin + G::size - 1) / G::size;
        const int used = remaining < groups ? remaining : groups;
        G group[groups];
        std::int32_t seeds[groups][kSeeds], block_count[groups], leaf_count[groups], part_count[groups][parts];
        typename G::V limit[groups];
        if (targets.blocks > kFewBlocks) near = gather_blocks(queries, block, targets, scratch);
        find_seed_blocks(queries, block, near, seeds);
        for (int g = 0; g < used; ++g) {
            group[g].start(queries, begin + g * G::size);
            for (std::int32_t& seed : seeds[g]) seed = nearest_centre(group[g], targets.leaf_boxes, seed * kBlock);
        }
        for (int g = 0; g < used; ++g)
            for (int r = 0; r < G::registers; ++r) {
                const std::int32_t first = begin + g * G::size + r * G::width;
                for (const std::int32_t seed : seeds[g]) group[g].lanes[r].template visit<keep_leaf>(targets, seed);
                group[g].lanes[r].template save<keep_leaf>(first, squared, leaves);
            }
        for (int g = 0; g < used; ++g) {
            limit[g] = group[g].limit();
            block_count[g] = list_blocks(group[g], near, limit[g], scratch.near_blocks + g * blocks_stride);
        }
        for (int g = 0; g < used; ++g)
            leaf_count[g] = list_leaves(group[g], near, targets.leaf_boxes, limit[g],
                                        scratch.near_blocks + g * blocks_stride, block_count[g],
                                        scratch.near_leaves + g * stride);
        for (int g = 0; g < used; ++g)
            for (std::int32_t k = g * stride; k < g * stride + leaf_count[g]; ++k)
                scratch.reached[k] = group[g].reached(targets.leaf_boxes, scratch.near_leaves[k]);
        for (int g = 0; g < used; ++g)
            for (int p = 0; p < parts; ++p)
                part_count[g][p] = Isa<T>::select(scratch.near_leaves + g * stride, scratch.reached + g * stride,
                                                  leaf_count[g], ((1 << kPart<T>) - 1) << p * kPart<T>, seeds[g],
                                                  scratch.part_leaves + (g * parts + p) * stride);
        for (int g = 0; g < used; ++g)
            for (int p = 0; p < parts; ++p) {
                const std::int32_t first = begin + g * G::size + p * kPart<T>;
                const std::int32_t* part_leaves = scratch.part_leaves + (g * parts + p) * stride;
                Lanes<T, kPart<T>> part;
                part.start(queries, first);
                part.template restore<keep_leaf>(first, squared, leaves);
                for (std::int32_t k = 0; k < part_count[g][p]; ++k)
                    part.template visit<keep_leaf>(targets, part_leaves[k]);
                part.template save<keep_leaf>(first, squared, leaves);
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
