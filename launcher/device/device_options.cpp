#include "launcher/device/device_options.h"

#include <omp.h>

#include "core/cpu/cpu_backend.h"
#include "core/cuda/cuda_backend.h"
#include "core/reference/reference_backend.h"
#include "launcher/device/gpu_choice.h"

namespace edt {

void DeviceOptions::declare(OptionSet& options, const std::string& prefix) {
  options.add(prefix + "device", &kind,
              {{"cpu", DeviceKind::kCpu},
               {"cuda", DeviceKind::kCuda},
               {"reference", DeviceKind::kReference}},
              "what computes: the processor or a GPU; reference is slow and obvious, to check "
              "against");
  options.add(prefix + "threads", &threads, "threads of this rank; 0: what the machine gives")
      .range(0, 4096);
  options
      .add(prefix + "tf32", &tf32,
           "float32 products with 10-bit mantissas on the GPU's tensor cores, as PyTorch's "
           "allow_tf32")
      .used_when(prefix + "device", {"cuda"});
  options
      .add(prefix + "share-gpus", &share_gpus,
           "ranks may share a GPU: for tests; their tensors travel through host memory")
      .used_when(prefix + "device", {"cuda"});
}

std::unique_ptr<Backend> DeviceOptions::make_backend(Communicator& world) const {
  if (threads > 0) omp_set_num_threads(threads);
  switch (kind) {
    case DeviceKind::kCpu:
      return make_cpu_backend();
    case DeviceKind::kReference:
      return make_reference_backend();
    case DeviceKind::kCuda:
      require<NotImplemented>(cuda_is_built(), "device", "cuda: {}", cuda_absence());
      return make_cuda_backend({.device = choose_gpu(world, share_gpus), .tf32 = tf32});
  }
  EDT_ASSERT(false);
  return nullptr;
}

}  // namespace edt
