#include "model/plan/cluster.h"

#include <algorithm>

#include "core/base/error.h"

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

void slow_down(std::vector<double>& seconds, double factor) {
  for (double& value : seconds) value *= factor;
}

void slow_down(std::map<std::string, double, std::less<>>& seconds, double factor) {
  for (auto& [key, value] : seconds) value *= factor;
}

void slow_down(Link& link, double factor) {
  link.latency *= factor;
  link.bandwidth /= factor;
  link.reduce_bandwidth /= factor;
  slow_down(link.exchange_seconds, factor);
  slow_down(link.reduce_seconds, factor);
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
  const double bandwidth = memory_bandwidth * memory_efficiency;
  return launch + std::max(computing, kernel.bytes / bandwidth) + kernel.beside_bytes / bandwidth;
}

Cluster shared_devices(Cluster cluster, int ranks_per_device) {
  if (ranks_per_device == 1) return cluster;
  require<UsageError>(cluster.intra.bandwidth > 0 || !cluster.intra.bytes.empty(), "plan",
                      "{} ranks at a device talk within a node, {} says nothing of its link",
                      ranks_per_device, cluster.name);
  cluster.devices *= ranks_per_device;
  cluster.memory /= ranks_per_device;
  cluster.float32_rate /= ranks_per_device;
  cluster.bf16_rate /= ranks_per_device;
  cluster.memory_bandwidth /= ranks_per_device;
  cluster.launch *= ranks_per_device;
  slow_down(cluster.measured.seconds, ranks_per_device);
  slow_down(cluster.measured.seconds_per_byte, ranks_per_device);
  slow_down(cluster.intra, ranks_per_device);
  return cluster;
}

}  // namespace edt
