// The search on AVX512.
#include "clouds.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace {
bool supported() { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"); }
}  // namespace

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx2,fma,prefer-vector-width=512"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx2,fma,prefer-vector-width=512")
#endif
#define DS_VECTOR_BYTES 64
#include "search.hpp"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const clouds::Kernel& clouds::avx512_kernel() {
    static const Kernel kernel{"avx512", supported, search<float>, search<double>};
    return kernel;
}

#endif
