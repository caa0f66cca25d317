// The kernel in AVX2.
#include "nearest_isa.hpp"

#ifdef DS_X86
#include <immintrin.h>

// From here on only, so that no function of the headers above is compiled for AVX2.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

namespace ds {
namespace {

template <class T>
struct Isa {
    typedef T V __attribute__((vector_size(32), may_alias));
    static constexpr int width = 32 / sizeof(T);
    static constexpr int registers = 2;

    static unsigned less(V a, V b) {
        const auto mask = a < b;
        if constexpr (sizeof(T) == 4) return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
        if constexpr (sizeof(T) == 8) return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(mask)));
    }

    static std::int32_t append(std::int32_t* list, std::int32_t base, unsigned mask) {
        return append_one_by_one<width>(list, base, mask);
    }
};

} // namespace
} // namespace ds

#include "nearest_kernel.hpp"

DS_DEFINE_KERNEL(avx2)

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif // DS_X86
