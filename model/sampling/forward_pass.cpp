#include "model/sampling/forward_pass.h"

namespace edt {

void ForwardPass::operator()(const Tensor& x_t, std::span<const float> told,
                             std::span<const std::int32_t> labels, const Tensor& out,
                             const PassHooks& hooks) {
  const Tape::NoGrad inference(tape_);
  {
    const Var image = tape_.make(x_t.shape, DType::kFloat32);
    const Var times = tape_.make({x_t.shape[0]}, DType::kFloat32);
    const Var classes = tape_.make({x_t.shape[0]}, DType::kInt32);
    const Var result = tape_.make(out.shape, DType::kFloat32);
    backend_.upload(x_t.data, image.tensor());
    backend_.upload(told.data(), times.tensor());
    backend_.upload(labels.data(), classes.tensor());
    const Var tokens =
        model_.forward(tape_, {image.tensor(), times.tensor(), classes.tensor(), hooks});
    backend_.unpatchify(tokens.tensor(), model_.patch(), result.tensor());
    backend_.download(result.tensor(), out.data);
  }
  tape_.clear();
}

}  // namespace edt
