// The nearest-neighbour kernel as compiled for each instruction set.
#pragma once

#include "clouds.hpp"

#if defined(__x86_64__) || defined(__i386__)
#define DS_X86 1
#endif

namespace ds {

// Working memory of a kernel, each array with the length given by ScratchLayout.
template <class T>
struct KernelScratch {
    T* near_boxes;             // copies of the boxes of the target blocks near a block of queries, aligned to 64 bytes
    std::int32_t* near_ids;    // and where they are among all blocks
    std::int32_t* near_blocks; // for every group of queries in the block: the blocks near it, as positions in near_ids,
    std::int32_t* near_leaves; // the leaves near it
    std::int32_t* reached;     // and, as bits, its queries that may be nearest to them
    std::int32_t* part_leaves; // for every part of a group: the leaves with such queries in the part
};

struct ScratchLayout {
    static constexpr std::size_t groups = kBlockPoints / kLeaf, parts = kBlockPoints / 2; // at most, in a block

    std::size_t blocks, boxes, leaves; // of one list; lists have room for one vector past their end

    explicit ScratchLayout(const Layout& targets)
        : blocks(targets.block_boxes + kBlock), boxes(6 * targets.block_boxes), leaves(targets.leaf_boxes + kBlock) {}
    std::size_t numbers() const { return (1 + groups) * blocks + (2 * groups + parts) * leaves; }
};

// For every point of `queries` in stored order: the squared distance to the nearest point of
// `targets`, and, unless `leaves` is null, a leaf of `targets` that holds such a point. Both clouds
// have one exponent; the outputs have the padded length of `queries`, and `squared` is aligned to 64
// bytes.
template <class T>
using NearestKernel = void (*)(const Cloud<T>& queries, const Cloud<T>& targets, T* squared, std::int32_t* leaves,
                               const KernelScratch<T>& scratch);

#define DS_DECLARE_KERNEL(isa)                                                             \
    void nearest_##isa(const Cloud<float>&, const Cloud<float>&, float*, std::int32_t*,    \
                       const KernelScratch<float>&);                                       \
    void nearest_##isa(const Cloud<double>&, const Cloud<double>&, double*, std::int32_t*, \
                       const KernelScratch<double>&);

DS_DECLARE_KERNEL(portable)
#ifdef DS_X86
DS_DECLARE_KERNEL(avx2)
DS_DECLARE_KERNEL(avx512)
#endif
#undef DS_DECLARE_KERNEL

} // namespace ds
