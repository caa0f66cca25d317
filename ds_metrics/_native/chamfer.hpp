// Chamfer distances and nearest neighbours between prepared clouds.
#pragma once

#include <string>

#include "nearest_isa.hpp"

namespace ds {

// The instruction sets of this machine, best first.
std::vector<std::string> supported_isas();

struct ChamferOptions {
    double w1, w2;
    bool squared; // squared distances; otherwise their roots
};

// out[k] = chamfer(x[i[k]], y[j[k]]).
template <class T>
void chamfer_pairs(const CloudSet<T>& x, const CloudSet<T>& y, const std::int64_t* i, const std::int64_t* j,
                   std::int64_t pairs, const ChamferOptions& options, int threads, const std::string& isa, double* out);

// For every row of x's points as given: the nearest point of the cloud of y with the same position.
template <class T>
void nearest_rows(const CloudSet<T>& x, const CloudSet<T>& y, int threads, const std::string& isa, T* squared,
                  std::int64_t* index);

} // namespace ds
