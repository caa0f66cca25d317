// Dynamic scheduling over independent items.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace ds {

// Calls body(worker, item) for every item, `chunk` consecutive items at a time, on up to `threads`
// threads, or as many as the system grants. The first exception is rethrown once all workers are done.
template <class Body>
void parallel_for(std::int64_t items, std::int64_t chunk, int threads, const Body& body) {
    std::atomic<std::int64_t> next{0};
    std::exception_ptr error;
    std::mutex error_mutex;
    const auto work = [&](int worker) {
        try {
            for (std::int64_t begin; (begin = next.fetch_add(chunk)) < items;)
                for (std::int64_t item = begin; item < std::min(begin + chunk, items); ++item)
                    body(worker, item);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(error_mutex);
            if (!error) error = std::current_exception();
            next = items;
        }
    };
    const std::int64_t chunks = (items + chunk - 1) / chunk;
    const int workers = static_cast<int>(std::min<std::int64_t>(threads, chunks));
    std::vector<std::thread> pool;
    try {
        for (int worker = 1; worker < workers; ++worker) pool.emplace_back(work, worker);
    } catch (const std::exception&) {
        // No more threads, or no memory for one. Those that run must be joined, and can do all the work.
    }
    work(0);
    for (std::thread& thread : pool) thread.join();
    if (error) std::rethrow_exception(error);
}

} // namespace ds
