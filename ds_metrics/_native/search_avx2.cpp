// The search on AVX2.
#include "clouds.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace {
bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
}  // namespace

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define DS_VECTOR_BYTES 32
#include "search.hpp"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const clouds::Kernel& clouds::avx2_kernel() {
    static const Kernel kernel{"avx2", supported, search<float>, search<double>};
    return kernel;
}

#endif
