#include "launcher/commands/warpgroup_backend.h"

#include "core/cuda/cuda_backend.h"
#include "core/ops/cases/case_timing.h"

namespace edt {

std::unique_ptr<Backend> make_warpgroup_backend(const DeviceOptions& device, const OpCase& op_case,
                                                DType dtype, Communicator& world) {
  const bool has_attention = op_case.op.find("attention") != std::string::npos;
  if (device.kind != DeviceKind::kCuda || dtype != DType::kBFloat16 || !has_attention)
    return nullptr;
  GemmTuning tuning{.candidates = 1, .rounds = 1};
  CudaOptions options = device.cuda_options(world);
  options.tuning = &tuning;
  time_case(op_case, *make_cuda_backend(options), dtype, 0);
  if (tuning.found_attentions.empty()) return nullptr;
  for (auto& [key, tuned] : tuning.found_attentions) tuned.warpgroups = true;
  options.tuning = nullptr;
  options.gemms = {.source = "edt bench ops", .gemms = {}, .attentions = tuning.found_attentions};
  return make_cuda_backend(options);
}

}  // namespace edt
