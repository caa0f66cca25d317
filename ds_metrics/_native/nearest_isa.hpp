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
    std::int32_t* near_ids;    // target blocks near the current block of queries,
    T* near_boxes;             // and copies of their boxes, aligned to 64 bytes
    std::int32_t* near_blocks; // those of them near the current group of queries
    std::int32_t* near_leaves; // and their leaves
};

struct ScratchLayout {
    std::size_t blocks, boxes, leaves; // lists have room for one vector past their end

    explicit ScratchLayout(const Layout& targets)
        : blocks(targets.block_boxes + kBlock), boxes(6 * targets.block_boxes), leaves(targets.leaf_boxes + kBlock) {}
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

namespace {

// Isa<T>::append where there is no instruction for it. Inlined always, so that none of it is left to the linker.
template <int width>
inline __attribute__((always_inline)) std::int32_t append_one_by_one(std::int32_t* list, std::int32_t base,
                                                                     unsigned mask) {
    std::int32_t count = 0;
    for (int k = 0; k < width; ++k) {
        list[count] = base + k;
        count += static_cast<std::int32_t>(mask >> k & 1);
    }
    return count;
}

} // namespace

} // namespace ds
