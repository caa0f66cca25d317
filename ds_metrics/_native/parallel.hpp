// A loop over independent pieces of work.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

// Calls work(k) once for each k < count, on `threads` threads; whichever is free takes the next. `work` must not throw.
template <class Work>
void parallel_for(std::size_t count, std::size_t threads, const Work& work) {
    std::atomic<std::size_t> next{0};
    const auto run = [&] {
        for (std::size_t k; (k = next.fetch_add(1, std::memory_order_relaxed)) < count;) work(k);
    };
    std::vector<std::thread> others;
    for (std::size_t t = 1; t < std::min(threads, count); ++t) others.emplace_back(run);
    run();
    for (std::thread& other : others) other.join();
}
