// NCCL between GPUs, host memory where ranks share one.
#include <algorithm>
#include <array>
#include <set>

#include "core/base/log.h"
#include "core/cuda/error.h"
#include "core/cuda/on_stream.h"
#include "parallel/comm/device/device_communicator.h"
#include "parallel/comm/nccl/nccl_communicator.h"

namespace edt {
namespace {

// Names the GPU of `device` among those of all hosts.
std::string place_of(Device& device, const std::string& host) {
  stream_of(device);  // the GPU becomes the thread's current one
  int index = 0;
  std::array<char, 32> bus{};
  check_cuda(cudaGetDevice(&index), "asking for the GPU");
  check_cuda(cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), index),
             "asking for the GPU's place");
  return fmt::format("{} {}", host, bus.data());
}

// The same answer on all ranks.
bool share_a_gpu(Device& device, Communicator& ranks) {
  const auto places = ranks.gather(place_of(device, ranks.host()), 0, "GPUs of the ranks");
  const std::set<std::string> different(places.begin(), places.end());
  return ranks.any(different.size() < places.size(), "ranks share a GPU");
}

}  // namespace

std::string nccl_absence() { return {}; }

std::unique_ptr<Communicator> communicator_for(Device& device, Communicator& ranks,
                                               std::string_view label) {
  auto same = ranks.split(0, ranks.rank(), label);
  if (device.in_host_memory()) return same;
  if (ranks.size() == 1) return make_staged_communicator(device, std::move(same));
  if (!share_a_gpu(device, ranks)) return make_nccl_communicator(device, std::move(same));
  log::info("{}: ranks share a GPU, its tensors travel through host memory", label);
  return make_staged_communicator(device, std::move(same));
}

}  // namespace edt
