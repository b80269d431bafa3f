// What a command computes on, and its options.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/cuda/cuda_backend.h"
#include "core/ops/backend.h"
#include "core/options/options.h"
#include "launcher/machine/placement.h"
#include "parallel/comm/communicator.h"

namespace edt {

enum class DeviceKind { kCpu, kCuda, kReference };

struct DeviceOptions {
  DeviceKind kind = DeviceKind::kCpu;
  Binding binding = Binding::kMemoryDomains;
  int threads = 0;
  bool tf32 = false;
  bool epilogues = true;
  bool programmatic_launch = false;
  bool share_gpus = false;
  std::filesystem::path gemms;  // empty: none

  // Names are `prefix` and "device", "threads", ...
  void declare(OptionSet& options, const std::string& prefix);
  // All but the products: for the command that chooses them.
  void declare_device(OptionSet& options, const std::string& prefix);
  // Binds each rank to its cores, as make_backend() does. All ranks of `world` call it; on rank 0
  // where they run then.
  std::vector<NodePlacement> take_cores(Communicator& world) const;
  // All ranks of `world` call it; each gets its cores, or its own GPU. UsageError or CudaError
  // where there is none.
  std::unique_ptr<Backend> make_backend(Communicator& world) const;
  // The same for a GPU, but for the products.
  CudaOptions cuda_options(Communicator& world) const;

 private:
  void take_threads() const;
};

}  // namespace edt
