// Adan, single-tensor form of the published code.
#pragma once

#include "core/optim/adan_step.h"
#include "core/optim/host_optimizer.h"

namespace edt {

// What is the same for all elements of one update.
AdanScalars adan_scalars(const AdanConfig& config, const UpdateArgs& args);

class Adan final : public HostOptimizer {
 public:
  explicit Adan(const AdanConfig& config);

  std::string_view name() const override { return "adan"; }
  std::span<const std::string_view> state_names() const override;

 private:
  void advance(const UpdateArgs& args, std::size_t begin, std::size_t end) const override;

  AdanConfig config_;
};

}  // namespace edt
