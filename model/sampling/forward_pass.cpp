#include "model/sampling/forward_pass.h"

namespace edt {

void ForwardPass::operator()(const Tensor& x_t, std::span<const float> told,
                             std::span<const std::int32_t> labels, const Tensor& out,
                             const PassHooks& hooks, std::span<const float> frames) {
  const Tape::NoGrad inference(tape_);
  {
    const Var image = tape_.make(x_t.shape, DType::kFloat32);
    const Var times = tape_.make({x_t.shape[0]}, DType::kFloat32);
    const Var classes = tape_.make({x_t.shape[0]}, DType::kInt32);
    const Var result = tape_.make(out.shape, DType::kFloat32);
    backend_.upload(x_t.data, image.tensor());
    backend_.upload(told.data(), times.tensor());
    backend_.upload(labels.data(), classes.tensor());
    ModelInputs inputs{image.tensor(), times.tensor(), classes.tensor(), hooks};
    Var conditions;
    if (const std::int64_t channels = model_.frame_channels(); channels > 0 && !frames.empty()) {
      conditions = tape_.make({x_t.shape[0], model_.patches().tokens(), channels}, DType::kFloat32);
      EDT_ASSERT(static_cast<std::int64_t>(frames.size()) >= conditions.tensor().elements());
      backend_.upload(frames.data(), conditions.tensor());
      inputs.frames = conditions.tensor();
    }
    const Var tokens = model_.forward(tape_, inputs);
    backend_.unpatchify(tokens.tensor(), model_.patch(), result.tensor());
    backend_.download(result.tensor(), out.data);
  }
  tape_.clear();
}

}  // namespace edt
