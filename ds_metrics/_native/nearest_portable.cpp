// The kernel in the instruction set that the compiler targets anyway: SSE2 on x86-64, NEON on Arm.
#include "nearest_isa.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ds {
namespace {

template <class T>
struct Isa {
    typedef T V __attribute__((vector_size(16), may_alias));
    static constexpr int width = 16 / sizeof(T);
    static constexpr int registers = 8 / width;

    static constexpr bool compares_integers = false;

    static V multiply_add(V a, V b, V c) { return a * b + c; }

    static unsigned less(V a, V b) {
        const auto mask = a < b;
#ifdef __SSE2__
        if constexpr (sizeof(T) == 4) return static_cast<unsigned>(_mm_movemask_ps(reinterpret_cast<__m128>(mask)));
        if constexpr (sizeof(T) == 8) return static_cast<unsigned>(_mm_movemask_pd(reinterpret_cast<__m128d>(mask)));
#else
        unsigned bits = 0;
        for (int k = 0; k < width; ++k) bits |= (mask[k] ? 1u : 0u) << k;
        return bits;
#endif
    }

    static std::int32_t append(std::int32_t* list, std::int32_t base, unsigned mask) {
        std::int32_t count = 0;
        for (int k = 0; k < width; ++k) {
            list[count] = base + k;
            count += static_cast<std::int32_t>(mask >> k & 1);
        }
        return count;
    }

    static std::int32_t select(const std::int32_t* leaves, const std::int32_t* reached, std::int32_t count,
                               std::int32_t bits, const std::int32_t* seeds, std::int32_t* list) {
        std::int32_t selected = 0;
        for (std::int32_t k = 0; k < count; ++k) {
            list[selected] = leaves[k];
            selected += ((reached[k] & bits) != 0) & (leaves[k] != seeds[0]) & (leaves[k] != seeds[1]);
        }
        return selected;
    }
};

} // namespace
} // namespace ds

#include "nearest_kernel.hpp"

DS_DEFINE_KERNEL(portable)
