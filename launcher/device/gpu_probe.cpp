#include "launcher/device/gpu_probe.h"

#include <nlohmann/json.hpp>

#include "parallel/comm/device/device_communicator.h"

namespace edt {

GpuProbe probe_gpus() {
  GpuProbe probe;
  const std::vector<std::string> places = cuda_device_places();
  for (const std::string& place : places) {
    probe.gpus.push_back({cuda_gpu_type(static_cast<int>(probe.gpus.size())), place});
  }
  if (places.empty()) probe.absence = cuda_absence();
  probe.broken = cuda_is_broken();
  if (cuda_is_there()) probe.nccl_absence = nccl_absence();
  return probe;
}

std::vector<Finding> findings(const GpuProbe& probe) {
  std::vector<Finding> found;
  if (probe.broken) {
    found.push_back({false, fmt::format("there is no training on GPUs here: {}", probe.absence)});
  }
  if (!probe.nccl_absence.empty()) {
    found.push_back(
        {false, fmt::format("there is no training on several GPUs: {}", probe.nccl_absence)});
  }
  return found;
}

nlohmann::ordered_json to_json(const GpuProbe& probe) {
  auto gpus = nlohmann::ordered_json::array();
  for (const GpuProbe::Gpu& gpu : probe.gpus) {
    gpus.push_back({{"name", gpu.type.name},
                    {"compute_capability", gpu.type.capability},
                    {"multiprocessors", gpu.type.multiprocessors},
                    {"place", gpu.place},
                    {"cublaslt", gpu.type.cublaslt}});
  }
  return {{"visible", gpus}, {"absence", probe.absence}};
}

}  // namespace edt
