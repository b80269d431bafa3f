#include "core/record/recorded_optimizer.h"

#include <utility>

#include "core/record/operand.h"

namespace edt {
namespace {

class RecordedOptimizer final : public Optimizer {
 public:
  RecordedOptimizer(std::unique_ptr<Optimizer> optimizer, Device& device, CallRecorder& recorder)
      : optimizer_(std::move(optimizer)), device_(device), recorder_(recorder) {}

  std::string_view name() const override { return optimizer_->name(); }
  std::span<const std::string_view> state_names() const override {
    return optimizer_->state_names();
  }
  void update(const UpdateArgs& args) const override { optimizer_->update(args); }
  void follow(std::span<const float> params, std::span<float> average, float take) const override {
    optimizer_->follow(params, average, take);
  }

  // Once a step for each bucket, in their order: this rank's part of the gradient.
  void square_sums(std::span<const float> values, std::span<const ElementRange> left_out,
                   std::span<double> sums) const override {
    if (recorder_.records_step()) {
      const std::int64_t first = recorder_.gradient_seen();
      record_pieces(recorder_, CallKind::kGradient, recorder_.pieces(), device_, values, first);
      recorder_.gradient_seen() = first + static_cast<std::int64_t>(values.size());
    }
    optimizer_->square_sums(values, left_out, sums);
  }

 private:
  std::unique_ptr<Optimizer> optimizer_;
  Device& device_;
  CallRecorder& recorder_;
};

}  // namespace

std::unique_ptr<Optimizer> make_recorded_optimizer(std::unique_ptr<Optimizer> optimizer,
                                                   Device& device, CallRecorder& recorder) {
  return std::make_unique<RecordedOptimizer>(std::move(optimizer), device, recorder);
}

void record_pieces(CallRecorder& recorder, CallKind kind, std::span<const OwnPiece> pieces,
                   Device& device, std::span<const float> values, std::int64_t first) {
  if (values.empty()) return;
  HostContents contents(device);
  const auto size = static_cast<std::int64_t>(values.size());
  const HostContent all =
      contents.of(Tensor{const_cast<float*>(values.data()), {size}, DType::kFloat32});
  for (const OwnPiece& piece : pieces) {
    const std::int64_t at = piece.offset - first;
    if (at < 0 || at >= size) continue;
    RecordedCall call = recorder.begin(kind, piece.tensor);
    const auto bytes =
        all.bytes.subspan(static_cast<std::size_t>(at) * sizeof(float),
                          static_cast<std::size_t>(piece.end - piece.begin) * sizeof(float));
    recorder.see(call, {.name = piece.tensor, .shape = piece.shape, .begin = piece.begin}, bytes,
                 call.out);
    recorder.finish(std::move(call));
  }
}

}  // namespace edt
