#include "model/plan/recording_optimizer.h"

namespace edt {
namespace {

GradTarget array(std::span<const float> values, bool written) {
  return {{const_cast<float*>(values.data()),
           {static_cast<std::int64_t>(values.size())},
           DType::kFloat32},
          written};
}

}  // namespace

void RecordingOptimizer::update(const UpdateArgs& args) const {
  KernelKey key;
  key.add(array(args.params, true));
  key.add(array(args.grads, false));
  for (const auto& state : args.states) key.add(array(state, true));
  if (!args.ema.empty()) key.add(array(args.ema, true));
  if (!args.working.empty()) {
    key.add(Tensor{
        args.working.data(), {static_cast<std::int64_t>(args.working.size())}, DType::kBFloat16});
  }
  recorder_.kernel("optimizer", KernelClass::kStream, DType::kFloat32, key);
}

void RecordingOptimizer::square_sums(std::span<const float> values, std::span<const ElementRange>,
                                     std::span<double>) const {
  KernelKey key;
  key.add(array(values, false));
  recorder_.kernel("square_sums", KernelClass::kStream, DType::kFloat32, key);
}

void RecordingOptimizer::follow(std::span<const float> params, std::span<float> average,
                                float) const {
  KernelKey key;
  key.add(array(params, false));
  key.add(array(average, true));
  recorder_.kernel("power_average", KernelClass::kStream, DType::kFloat32, key);
}

}  // namespace edt
