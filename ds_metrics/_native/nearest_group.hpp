// Vector lanes, boxes and groups of queries: the parts of nearest_kernel.hpp, which see for how it is
// compiled.
//
// Distances have the same bits on every instruction set. Bounds needn't: see `loosened`.

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

// Of two numbers, not both negative. Those are ordered as their bits are, and integers are compared by units that
// additions of floats don't need.
template <class T, class V>
DS_INLINE V smaller(V a, V b) {
    using I = decltype(a < b);
    if constexpr (!Isa<T>::compares_integers) return a < b ? a : b;
    const I i = reinterpret_cast<I>(a), j = reinterpret_cast<I>(b);
    return reinterpret_cast<V>(i < j ? i : j);
}

template <class T, class V>
DS_INLINE V larger(V a, V b) {
    using I = decltype(a < b);
    if constexpr (!Isa<T>::compares_integers) return a > b ? a : b;
    const I i = reinterpret_cast<I>(a), j = reinterpret_cast<I>(b);
    return reinterpret_cast<V>(i > j ? i : j);
}

template <class V>
DS_INLINE V magnitude(V a) {
    using I = decltype(a < a);
    return reinterpret_cast<V>(reinterpret_cast<I>(a) & ~reinterpret_cast<I>(-V{}));
}

// How far a number is outside of [-half, half].
template <class T, class V>
DS_INLINE V beyond(V a, V half) {
    return larger<T>(magnitude(a) - half, V{});
}

// Above the bound of any box that holds a point at this squared distance or nearer. Boxes are rounded outwards, which
// leaves the rounding of the bound itself: a few units in the last place or, near zero, a subnormal number.
template <class T, class V>
DS_INLINE V loosened(V squared) {
    if constexpr (sizeof(T) == 4) return squared * T(1 + 0x1p-19) + T(0x1p-126);
    if constexpr (sizeof(T) == 8) return squared * T(1 + 0x1p-48) + T(0x1p-1022);
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

// For bounds.
template <class T, class V>
DS_INLINE V rough_squared_norm(const V* v) {
    return Isa<T>::multiply_add(v[2], v[2], Isa<T>::multiply_add(v[1], v[1], v[0] * v[0]));
}

// Lower bounds of the squared distances from a box, in every lane of mid and half, to boxes slot,
// slot + 1, ...
template <class V, class T>
DS_INLINE V nearest_bounds(const V* mid, const V* half, const Boxes<T>& boxes, std::int32_t slot) {
    V gap[3];
    for (int d = 0; d < 3; ++d)
        gap[d] = beyond<T>(load<V>(boxes.mid[d] + slot) - mid[d], load<V>(boxes.half[d] + slot) + half[d]);
    return rough_squared_norm<T>(gap);
}

// Upper bounds likewise.
template <class V, class T>
DS_INLINE V farthest_bounds(const V* mid, const V* half, const Boxes<T>& boxes, std::int32_t slot) {
    V gap[3];
    for (int d = 0; d < 3; ++d)
        gap[d] = magnitude(load<V>(boxes.mid[d] + slot) - mid[d]) + (load<V>(boxes.half[d] + slot) + half[d]);
    return rough_squared_norm<T>(gap);
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
template <class T, int width>
struct Lanes {
    typedef T V __attribute__((vector_size(width * sizeof(T)), may_alias));
    using Leaf = decltype(V{} < V{}); // integer lanes

    V point[3];
    V best;
    Leaf leaf;

    DS_INLINE void start(const Cloud<T>& cloud, std::int32_t first) {
        for (int d = 0; d < 3; ++d) point[d] = load<V>(cloud.points[d] + first);
    }

    template <bool keep_leaf>
    DS_INLINE void visit(const Cloud<T>& targets, std::int32_t visited) {
        const V before = best;
        for (std::int32_t k = visited * kLeaf; k < (visited + 1) * kLeaf; ++k) {
            const V squared = squared_norm(point[0] - targets.points[0][k], point[1] - targets.points[1][k],
                                           point[2] - targets.points[2][k]);
            best = smaller<T>(squared, best);
        }
        if constexpr (keep_leaf) leaf = best < before ? Leaf{} + visited : leaf;
    }

    // The best so far, from and to where the kernel returns them.
    template <bool keep_leaf>
    DS_INLINE void restore(std::int32_t first, const T* squared, const std::int32_t* leaves) {
        best = load<V>(squared + first);
        Leaf found{};
        if constexpr (keep_leaf)
            for (int k = 0; k < width; ++k) found[k] = leaves[first + k];
        leaf = found;
    }

    template <bool keep_leaf>
    DS_INLINE void save(std::int32_t first, T* squared, std::int32_t* leaves) const {
        *reinterpret_cast<V*>(squared + first) = best;
        if constexpr (keep_leaf)
            for (int k = 0; k < width; ++k) leaves[first + k] = static_cast<std::int32_t>(leaf[k]);
    }
};

// The queries that look for leaves together, and their box in every lane.
template <class T>
struct Group {
    using V = typename Isa<T>::V;
    static constexpr int width = Isa<T>::width;
    static constexpr int registers = Isa<T>::registers;
    static constexpr int size = registers * width;
    static_assert(size == kLeaf || size == 2 * kLeaf, "A group is a leaf or a pair of leaves.");

    Lanes<T, Isa<T>::width> lanes[registers];
    V mid[3], half[3];

    // One box per group.
    static DS_INLINE const Boxes<T>& boxes(const Cloud<T>& cloud) {
        return size == kLeaf ? cloud.leaf_boxes : cloud.pair_boxes;
    }

    DS_INLINE void start(const Cloud<T>& cloud, std::int32_t first) {
        for (int d = 0; d < 3; ++d) {
            mid[d] = splat<V>(boxes(cloud).mid[d][first / size]);
            half[d] = splat<V>(boxes(cloud).half[d][first / size]);
        }
        for (int r = 0; r < registers; ++r) {
            lanes[r].start(cloud, first + r * width);
            lanes[r].best = splat<V>(T(__builtin_huge_val()));
            lanes[r].leaf = decltype(lanes[r].leaf){};
        }
    }

    // Boxes matter to the group only if their bound is below this.
    DS_INLINE V limit() const {
        V top = lanes[0].best;
        for (int r = 1; r < registers; ++r) top = larger<T>(top, lanes[r].best);
        return loosened<T>(splat<V>(largest<T, width>(top)));
    }

    // Bit k set where the box can hold a point nearer to query k than its best.
    DS_INLINE unsigned reached(const Boxes<T>& boxes, std::int32_t slot) const {
        unsigned mask = 0;
        for (int r = 0; r < registers; ++r) {
            V gap[3];
            for (int d = 0; d < 3; ++d)
                gap[d] = beyond<T>(lanes[r].point[d] - splat<V>(boxes.mid[d][slot]), splat<V>(boxes.half[d][slot]));
            mask |= Isa<T>::less(rough_squared_norm<T>(gap), loosened<T>(lanes[r].best)) << r * width;
        }
        return mask;
    }
};

} // namespace
} // namespace ds
