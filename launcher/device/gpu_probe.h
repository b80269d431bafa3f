// The GPUs of this machine as a run would find them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/cuda/cuda_backend.h"
#include "launcher/machine/machine.h"

namespace edt {

struct GpuProbe {
  struct Gpu {
    GpuType type;
    std::string place;  // on the bus
  };
  std::vector<Gpu> gpus;
  std::string absence;       // why there are none
  bool broken = false;       // the backend is installed and does not load
  std::string nccl_absence;  // why tensors would travel through host memory; empty: they do not
};

// Loads the CUDA backend where it is installed.
GpuProbe probe_gpus();

// A machine without GPUs is none; one whose backend does not load is.
std::vector<Finding> findings(const GpuProbe& probe);

nlohmann::ordered_json to_json(const GpuProbe& probe);

}  // namespace edt
