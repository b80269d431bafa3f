// An optimizer that changes nothing and records each pass over its arrays.
#pragma once

#include <memory>

#include "core/optim/optimizer.h"
#include "model/plan/recorder.h"

namespace edt {

class RecordingOptimizer final : public Optimizer {
 public:
  RecordingOptimizer(std::unique_ptr<Optimizer> real, Recorder& recorder)
      : real_(std::move(real)), recorder_(recorder) {}

  std::string_view name() const override { return real_->name(); }
  std::span<const std::string_view> state_names() const override { return real_->state_names(); }
  void update(const UpdateArgs& args) const override;
  void square_sums(std::span<const float> values, std::span<const ElementRange>,
                   std::span<double>) const override;
  void follow(std::span<const float> params, std::span<float> average, float) const override;

 private:
  std::unique_ptr<Optimizer> real_;
  Recorder& recorder_;
};

}  // namespace edt
