#include "model/sampling/forward_pass.h"

namespace edt {

TextInputs ForwardPass::TextVars::inputs() const {
  if (!features) return {};
  return {features.tensor(), lengths.tensor()};
}

ForwardPass::TextVars ForwardPass::upload(std::int64_t rows, const TextRows& text) {
  const TextConfig& config = model_.text();
  if (!config.is_on()) return {};
  const std::int64_t values = rows * config.tokens * config.channels;
  require<UsageError>(static_cast<std::int64_t>(text.features.size()) == values &&
                          static_cast<std::int64_t>(text.lengths.size()) == rows,
                      "sample", "{} reads texts, and {} of {} are given", model_.name(),
                      text.lengths.size(), rows);
  const TextVars vars{tape_.make({rows, config.tokens, config.channels}, DType::kFloat32),
                      tape_.make({rows}, DType::kInt32)};
  backend_.upload(text.features.data(), vars.features.tensor());
  backend_.upload(text.lengths.data(), vars.lengths.tensor());
  return vars;
}

void ForwardPass::operator()(const Tensor& x_t, std::span<const float> told,
                             std::span<const std::int32_t> labels, const Tensor& out,
                             const PassHooks& hooks, const PassConditions& conditions) {
  const Tape::NoGrad inference(tape_);
  {
    const Var image = tape_.make(x_t.shape, DType::kFloat32);
    const Var times = tape_.make({x_t.shape[0]}, DType::kFloat32);
    const Var classes = tape_.make({x_t.shape[0]}, DType::kInt32);
    const Var result = tape_.make(out.shape, DType::kFloat32);
    const TextVars texts = upload(x_t.shape[0], conditions.text);
    backend_.upload(x_t.data, image.tensor());
    backend_.upload(told.data(), times.tensor());
    backend_.upload(labels.data(), classes.tensor());
    ModelInputs inputs{image.tensor(), times.tensor(), classes.tensor(), hooks, texts.inputs()};
    Var frames;
    if (const std::int64_t channels = model_.frame_channels();
        channels > 0 && !conditions.frames.empty()) {
      frames = tape_.make({x_t.shape[0], model_.patches().tokens(), channels}, DType::kFloat32);
      EDT_ASSERT(static_cast<std::int64_t>(conditions.frames.size()) >= frames.tensor().elements());
      backend_.upload(conditions.frames.data(), frames.tensor());
      inputs.frames = frames.tensor();
    }
    const Var tokens = model_.forward(tape_, inputs);
    backend_.unpatchify(tokens.tensor(), model_.patch(), result.tensor());
    backend_.download(result.tensor(), out.data);
  }
  tape_.clear();
}

}  // namespace edt
