#include "model/plan/cluster.h"

#include <algorithm>

namespace edt {
namespace {

// Piecewise linear between measured points; beyond them, the first time below and the last rate
// above.
double interpolate(const std::vector<double>& xs, const std::vector<double>& ys, double x) {
  if (x <= xs.front()) return ys.front();
  if (x >= xs.back()) return ys.back() * (x / xs.back());
  const auto after = std::ranges::upper_bound(xs, x);
  const auto i = static_cast<std::size_t>(after - xs.begin());
  const double share = (x - xs[i - 1]) / (xs[i] - xs[i - 1]);
  return ys[i - 1] + share * (ys[i] - ys[i - 1]);
}

}  // namespace

double Link::round_seconds(double round_bytes, bool reduces) const {
  const std::vector<double>& curve = reduces ? reduce_seconds : exchange_seconds;
  if (!curve.empty()) return interpolate(bytes, curve, round_bytes);
  const double added = reduces && reduce_bandwidth > 0 ? round_bytes / reduce_bandwidth : 0;
  return latency + round_bytes / bandwidth + added;
}

bool Cluster::is_measured(const Kernel& kernel) const {
  return kernel.kind == KernelClass::kStream ? measured.seconds_per_byte.contains(kernel.name)
                                             : measured.seconds.contains(kernel.key);
}

double Cluster::kernel_seconds(const Kernel& kernel) const {
  if (kernel.kind == KernelClass::kStream) {
    const auto found = measured.seconds_per_byte.find(kernel.name);
    if (found != measured.seconds_per_byte.end()) return launch + found->second * kernel.bytes;
  } else if (const auto found = measured.seconds.find(kernel.key);
             found != measured.seconds.end()) {
    return launch + found->second;
  }
  const double efficiency =
      kernel.kind == KernelClass::kAttention ? attention_efficiency : matrix_efficiency;
  const double computing =
      kernel.flops > 0 ? kernel.flops / (matrix_rate(kernel.dtype) * efficiency) : 0;
  const double moving = kernel.bytes / (memory_bandwidth * memory_efficiency);
  return launch + std::max(computing, moving);
}

}  // namespace edt
