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
        return append_one_by_one<width>(list, base, mask);
    }
};

} // namespace
} // namespace ds

#include "nearest_kernel.hpp"

DS_DEFINE_KERNEL(portable)
