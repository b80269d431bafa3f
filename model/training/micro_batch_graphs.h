// Forward and backward of micro-batches as graphs of the device: work that comes back in every step
// runs once as it is, is captured when it comes again, and is replayed from then on.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "core/base/profiler.h"
#include "core/tensor/device.h"
#include "parallel/zero/zero.h"

namespace edt {

class MicroBatchGraphs {
 public:
  MicroBatchGraphs(Device& device, Profiler& profiler) : device_(device), profiler_(profiler) {}

  // Whether `work` can be replayed.
  bool holds(const Zero::Work& work) const;
  void replay(const Zero::Work& work);
  // What work is has changed.
  void forget() { entries_.clear(); }
  // Computes a micro-batch of this work, and captures it where it has run before.
  void run(const Zero::Work& work, const std::function<void()>& compute);

 private:
  struct Entry {
    std::unique_ptr<Graph> graph;  // nullptr: has run, was not captured
    double flops = 0, recompute_flops = 0;
  };

  Device& device_;
  Profiler& profiler_;
  std::map<Zero::Work, Entry> entries_;
};

}  // namespace edt
