// Adan, single-tensor form of the published code.
#pragma once

#include "core/optim/optimizer.h"

namespace edt {

class Adan final : public Optimizer {
 public:
  explicit Adan(const AdanConfig& config);

  std::string_view name() const override { return "adan"; }
  std::span<const std::string_view> state_names() const override;

 private:
  void advance(const UpdateArgs& args, std::size_t begin, std::size_t end) const override;

  AdanConfig config_;
};

}  // namespace edt
