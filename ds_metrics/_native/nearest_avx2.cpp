// The kernel in AVX2.
#include "nearest_isa.hpp"

#ifdef DS_X86
#include <immintrin.h>

// From here on only, so that no function of the headers above is compiled for AVX2.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,popcnt")
#endif

namespace ds {
namespace {

// The positions of the set bits of every byte, one a byte: what AVX-512 has an instruction for.
struct BitPositions {
    std::uint64_t of[256];
    constexpr BitPositions() : of() {
        for (unsigned mask = 0; mask < 256; ++mask)
            for (int bit = 0, found = 0; bit < 8; ++bit)
                if (mask >> bit & 1) of[mask] |= static_cast<std::uint64_t>(bit) << 8 * found++;
    }
};
constexpr BitPositions kBitPositions;

template <class T>
struct Isa {
    typedef T V __attribute__((vector_size(32), may_alias));
    static constexpr int width = 32 / sizeof(T);
    static constexpr int registers = 2;

    static constexpr bool compares_integers = sizeof(T) == 4;

    static V multiply_add(V a, V b, V c) {
        if constexpr (sizeof(T) == 4) return _mm256_fmadd_ps(a, b, c);
        if constexpr (sizeof(T) == 8) return _mm256_fmadd_pd(a, b, c);
    }

    static unsigned less(V a, V b) {
        const auto mask = a < b;
        if constexpr (sizeof(T) == 4) return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
        if constexpr (sizeof(T) == 8) return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(mask)));
    }

    static __m256i positions(unsigned mask) {
        return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(&kBitPositions.of[mask])));
    }

    static std::int32_t append(std::int32_t* list, std::int32_t base, unsigned mask) {
        const __m256i slots = _mm256_add_epi32(positions(mask), _mm256_set1_epi32(base));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(list), slots);
        return __builtin_popcount(mask);
    }

    static std::int32_t select(const std::int32_t* leaves, const std::int32_t* reached, std::int32_t count,
                               std::int32_t bits, const std::int32_t* seeds, std::int32_t* list) {
        std::int32_t selected = 0;
        for (std::int32_t k = 0; k < count; k += 8) {
            const __m256i leaf = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(leaves + k));
            const __m256i any = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(reached + k));
            __m256i out = _mm256_cmpeq_epi32(_mm256_and_si256(any, _mm256_set1_epi32(bits)), _mm256_setzero_si256());
            out = _mm256_or_si256(out, _mm256_cmpeq_epi32(leaf, _mm256_set1_epi32(seeds[0])));
            out = _mm256_or_si256(out, _mm256_cmpeq_epi32(leaf, _mm256_set1_epi32(seeds[1])));
            unsigned mask = ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(out))) & 0xff;
            if (count - k < 8) mask &= (1u << (count - k)) - 1;
            const __m256i chosen = _mm256_permutevar8x32_epi32(leaf, positions(mask));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(list + selected), chosen);
            selected += __builtin_popcount(mask);
        }
        return selected;
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
