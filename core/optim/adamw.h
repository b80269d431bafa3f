// AdamW as PyTorch defines it.
#pragma once

#include "core/optim/optimizer.h"

namespace edt {

class AdamW final : public Optimizer {
 public:
  explicit AdamW(const AdamWConfig& config);

  std::string_view name() const override { return "adamw"; }
  std::span<const std::string_view> state_names() const override;

 private:
  void advance(const UpdateArgs& args, std::size_t begin, std::size_t end) const override;

  AdamWConfig config_;
};

}  // namespace edt
