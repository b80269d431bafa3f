// AdamW as PyTorch defines it.
#pragma once

#include "core/optim/adamw_step.h"
#include "core/optim/host_optimizer.h"

namespace edt {

// What is the same for all elements of one update.
AdamWScalars adamw_scalars(const AdamWConfig& config, const UpdateArgs& args);

class AdamW final : public HostOptimizer {
 public:
  explicit AdamW(const AdamWConfig& config);

  std::string_view name() const override { return "adamw"; }
  std::span<const std::string_view> state_names() const override;

 private:
  void advance(const UpdateArgs& args, std::size_t begin, std::size_t end) const override;

  AdamWConfig config_;
};

}  // namespace edt
