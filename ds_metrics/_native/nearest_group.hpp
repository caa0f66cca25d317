// Vector lanes, boxes and groups of queries: the parts of nearest_kernel.hpp, which see for how it is
// compiled.
//
// A bound is computed with the operations of a distance, on operands that are no farther apart;
// rounding is monotone, so a bound never exceeds a distance it bounds and pruning needs no slack.

namespace ds {
namespace {

#define DS_INLINE inline __attribute__((always_inline))

template <class V>
DS_INLINE V vmin(V a, V b) {
    return a < b ? a : b;
}

template <class V>
DS_INLINE V vmax(V a, V b) {
    return a > b ? a : b;
}

template <class V, class T>
DS_INLINE V load(const T* p) {
    return *reinterpret_cast<const V*>(p);
}

template <class V, class T>
DS_INLINE V splat(T value) {
    return value - V{};
}

template <class V>
DS_INLINE V squared_norm(V x, V y, V z) {
    return x * x + y * y + z * z;
}

// Lower bounds of the squared distances from a box, in every lane of lo and hi, to boxes slot,
// slot + 1, ...
template <class V, class T>
DS_INLINE V nearest_bounds(const V* lo, const V* hi, const Boxes<T>& boxes, std::int32_t slot) {
    V gap[3];
    for (int d = 0; d < 3; ++d)
        gap[d] = vmax(V{}, vmax(load<V>(boxes.lo[d] + slot) - hi[d], lo[d] - load<V>(boxes.hi[d] + slot)));
    return squared_norm(gap[0], gap[1], gap[2]);
}

// Upper bounds likewise.
template <class V, class T>
DS_INLINE V farthest_bounds(const V* lo, const V* hi, const Boxes<T>& boxes, std::int32_t slot) {
    V gap[3];
    for (int d = 0; d < 3; ++d)
        gap[d] = vmax(load<V>(boxes.hi[d] + slot) - lo[d], hi[d] - load<V>(boxes.lo[d] + slot));
    return squared_norm(gap[0], gap[1], gap[2]);
}

// The largest lane, by halving: a loop over lanes would cost more than a leaf.
template <class T, int width>
DS_INLINE T largest(T __attribute__((vector_size(width * sizeof(T)))) v) {
    if constexpr (width == 2) {
        return v[0] > v[1] ? v[0] : v[1];
    } else {
        typedef T Half __attribute__((vector_size(width / 2 * sizeof(T))));
        Half half[2];
        __builtin_memcpy(half, &v, sizeof(v));
        return largest<T, width / 2>(vmax(half[0], half[1]));
    }
}

// Queries side by side, each with the best squared distance so far and the leaf it was found in.
template <class T>
struct Group {
    using V = typename Isa<T>::V;
    using Leaf = decltype(V{} < V{}); // integer lanes
    static constexpr int width = Isa<T>::width;
    static constexpr int registers = Isa<T>::registers;
    static constexpr int size = registers * width;
    static_assert(size % kLeaf == 0 && kBlockPoints % size == 0, "A group is some leaves of one block.");

    V point[registers][3];
    V best[registers];
    Leaf leaf[registers];
    V lo[3], hi[3]; // their box, in every lane

    DS_INLINE void start(const Cloud<T>& cloud, std::int32_t first) {
        for (int d = 0; d < 3; ++d) {
            T low = cloud.leaf_boxes.lo[d][first / kLeaf], high = cloud.leaf_boxes.hi[d][first / kLeaf];
            for (std::int32_t k = first / kLeaf + 1; k < (first + size) / kLeaf; ++k) {
                const T lo_k = cloud.leaf_boxes.lo[d][k], hi_k = cloud.leaf_boxes.hi[d][k];
                low = lo_k < low ? lo_k : low;
                high = hi_k > high ? hi_k : high;
            }
            lo[d] = splat<V>(low);
            hi[d] = splat<V>(high);
            for (int r = 0; r < registers; ++r) point[r][d] = load<V>(cloud.points[d] + first + r * width);
        }
        for (int r = 0; r < registers; ++r) best[r] = splat<V>(T(__builtin_huge_val())), leaf[r] = Leaf{};
    }

    DS_INLINE T worst() const {
        V top = best[0];
        for (int r = 1; r < registers; ++r) top = vmax(top, best[r]);
        return largest<T, width>(top);
    }

    // Whether the box can hold a point nearer to some query than its best.
    DS_INLINE bool reaches(const Boxes<T>& boxes, std::int32_t slot) const {
        unsigned lanes = 0;
        for (int r = 0; r < registers; ++r) {
            V gap[3];
            for (int d = 0; d < 3; ++d) {
                const V p = point[r][d];
                gap[d] = p - vmin(vmax(p, splat<V>(boxes.lo[d][slot])), splat<V>(boxes.hi[d][slot]));
            }
            lanes |= Isa<T>::less(squared_norm(gap[0], gap[1], gap[2]), best[r]);
        }
        return lanes != 0;
    }

    template <bool keep_leaf>
    DS_INLINE void visit(const Cloud<T>& targets, std::int32_t visited) {
        V before[registers];
        for (int r = 0; r < registers; ++r) before[r] = best[r];
        for (std::int32_t k = visited * kLeaf; k < (visited + 1) * kLeaf; ++k)
            for (int r = 0; r < registers; ++r) {
                const V squared = squared_norm(point[r][0] - targets.points[0][k], point[r][1] - targets.points[1][k],
                                               point[r][2] - targets.points[2][k]);
                best[r] = vmin(squared, best[r]);
            }
        if constexpr (keep_leaf)
            for (int r = 0; r < registers; ++r) leaf[r] = best[r] < before[r] ? Leaf{} + visited : leaf[r];
    }
};

} // namespace
} // namespace ds
