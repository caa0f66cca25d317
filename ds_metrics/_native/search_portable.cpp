// The search on whatever vectors the platform guarantees: SSE2, NEON.
#define DS_VECTOR_BYTES 16
#include "search.hpp"

const clouds::Kernel& clouds::portable_kernel() {
    static const Kernel kernel{"portable", [] { return true; }, search<float>, search<double>};
    return kernel;
}
