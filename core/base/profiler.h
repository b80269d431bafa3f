// Where the time of a step goes: seconds, calls and floating-point operations per named scope.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

namespace edt {

class Profiler {
 public:
  struct Entry {
    std::string_view name;  // a string literal of the op
    double seconds = 0;
    std::int64_t calls = 0;
    double flops = 0;            // model FLOPs: recompute excluded
    double recompute_flops = 0;  // repeated by activation recompute
  };

  // Times a region. `name` must be a string literal; regions of one profiler do not nest.
  class Scope {
   public:
    Scope(Profiler& profiler, std::string_view name, double flops = 0);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Profiler& profiler_;
    std::size_t index_;
    std::chrono::steady_clock::time_point begin_;
  };

  // FLOPs of work that is not timed by itself. `name` as above.
  void count(std::string_view name, double flops, double recompute_flops);

  const std::vector<Entry>& entries() const { return entries_; }
  double total_flops() const;
  double total_recompute_flops() const;
  void reset();

  // While set, FLOPs count as recompute.
  void set_recomputing(bool recomputing) { recomputing_ = recomputing; }

 private:
  std::size_t index_of(std::string_view name);

  std::vector<Entry> entries_;
  bool recomputing_ = false;
};

}  // namespace edt
