// Loops over threads with fixed partitioning: the same thread count gives the same parts.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>

namespace edt {

inline std::int64_t thread_count() { return omp_get_max_threads(); }

struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

// Part `i` of [0, n) cut into `parts` nearly equal pieces.
inline Range part_of(std::int64_t n, std::int64_t parts, std::int64_t i) {
  return {n * i / parts, n * (i + 1) / parts};
}

inline constexpr std::int64_t kRowGrain = 8;       // rows of a matrix that a thread is worth
inline constexpr std::int64_t kColumnGrain = 256;  // columns, of which it sums all rows

// f(part, Range of [0, n)) for each of at most thread_count() parts of at least `grain` elements.
template <class F>
void parallel_parts(std::int64_t n, std::int64_t grain, F&& f) {
  if (n <= 0) return;
  const std::int64_t parts = std::clamp<std::int64_t>(n / grain, 1, thread_count());
  if (parts == 1) return f(std::int64_t{0}, Range{0, n});
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(parts))
  for (std::int64_t i = 0; i < parts; ++i) f(i, part_of(n, parts, i));
}

// f(begin, end) over [0, n).
template <class F>
void parallel_ranges(std::int64_t n, std::int64_t grain, F&& f) {
  parallel_parts(n, grain, [&](std::int64_t, Range r) { f(r.begin, r.end); });
}

// f(part, Range of [0, n)) for one part of each thread, as within a region of one thread: loops in
// f, oneDNN's too, are not divided any further. What f throws is thrown here.
template <class F>
void each_thread_alone(std::int64_t n, F&& f) {
  const std::int64_t threads = thread_count();
  std::exception_ptr error;
  std::mutex lock;
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(threads))
  for (std::int64_t i = 0; i < threads; ++i) {
    omp_set_num_threads(1);  // of this thread until the region ends
    try {
      f(i, part_of(n, threads, i));
    } catch (...) {
      const std::lock_guard guard(lock);
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace edt
