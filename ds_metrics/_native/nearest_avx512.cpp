// The kernel in AVX-512.
#include "nearest_isa.hpp"

#ifdef DS_X86
#include <immintrin.h>

// From here on only, so that no function of the headers above is compiled for AVX-512.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,prefer-vector-width=512")
#endif

namespace ds {
namespace {

template <class T>
struct Isa {
    typedef T V __attribute__((vector_size(64), may_alias));
    static constexpr int width = 64 / sizeof(T);
    static constexpr int registers = 16 / width;

    static constexpr bool compares_integers = true;

    static V multiply_add(V a, V b, V c) {
        if constexpr (sizeof(T) == 4) return _mm512_fmadd_ps(a, b, c);
        if constexpr (sizeof(T) == 8) return _mm512_fmadd_pd(a, b, c);
    }

    static unsigned less(V a, V b) {
        if constexpr (sizeof(T) == 4) return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
        if constexpr (sizeof(T) == 8) return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ);
    }

    static std::int32_t append(std::int32_t* list, std::int32_t base, unsigned mask) {
        // Compressed in a register: compressing stores are slow on some processors.
        if constexpr (width == 16) {
            const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            const __m512i slots = _mm512_add_epi32(lanes, _mm512_set1_epi32(base));
            _mm512_storeu_si512(list, _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), slots));
        } else {
            const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            const __m256i slots = _mm256_add_epi32(lanes, _mm256_set1_epi32(base));
            const __m256i kept = _mm256_maskz_compress_epi32(static_cast<__mmask8>(mask), slots);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(list), kept);
        }
        return __builtin_popcount(mask);
    }

    static std::int32_t select(const std::int32_t* leaves, const std::int32_t* reached, std::int32_t count,
                               std::int32_t bits, const std::int32_t* seeds, std::int32_t* list) {
        std::int32_t selected = 0;
        for (std::int32_t k = 0; k < count; k += 16) {
            const __m512i leaf = _mm512_loadu_si512(leaves + k);
            unsigned mask = _mm512_test_epi32_mask(_mm512_loadu_si512(reached + k), _mm512_set1_epi32(bits));
            mask &= _mm512_cmpneq_epi32_mask(leaf, _mm512_set1_epi32(seeds[0]));
            mask &= _mm512_cmpneq_epi32_mask(leaf, _mm512_set1_epi32(seeds[1]));
            if (count - k < 16) mask &= (1u << (count - k)) - 1;
            _mm512_storeu_si512(list + selected, _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), leaf));
            selected += __builtin_popcount(mask);
        }
        return selected;
    }
};

} // namespace
} // namespace ds

#include "nearest_kernel.hpp"

DS_DEFINE_KERNEL(avx512)

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif // DS_X86
