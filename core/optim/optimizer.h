// Adan and AdamW on flat float32 buffers. One pass over memory clips, updates the master weights
// and their state, follows them with the moving average and writes the bf16 working copy.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <variant>

#include "core/base/dtype.h"
#include "core/optim/grad_norm.h"

namespace edt {

// Xie et al., "Adan: Adaptive Nesterov Momentum Algorithm", arXiv 2208.06677. Betas are 1 - the
// paper's, as in its published code.
struct AdanConfig {
  std::array<double, 3> betas{0.98, 0.92, 0.99};
  double eps = 1e-8;
  double weight_decay = 0;
  bool no_prox = false;  // decay the weights before the update instead of the proximal step after
};

// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", arXiv 1711.05101.
struct AdamWConfig {
  std::array<double, 2> betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0.01;
};

using OptimizerConfig = std::variant<AdanConfig, AdamWConfig>;

// One update of one shard. All spans that are not empty have the same length.
struct UpdateArgs {
  std::span<float> params;
  std::span<const float> grads;
  std::span<const std::span<float>> states;  // in the order of state_name(); zero before step 1
  std::span<float> ema;                      // empty: no moving average
  std::span<bfloat16> working;               // empty: no bf16 copy
  std::int64_t step = 1;                     // number of this update, from 1
  double learning_rate = 0;
  double grad_scale = 1;  // the clip factor; multiplies every gradient
  double ema_decay = 0.9999;
};

// Element-wise: the result for an element depends on that element and the scalars only, so every
// split of a buffer into shards and threads gives the same bits.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  virtual std::string_view name() const = 0;
  virtual std::span<const std::string_view> state_names() const = 0;
  int state_count() const { return static_cast<int>(state_names().size()); }
  std::string_view state_name(int i) const { return state_names()[static_cast<std::size_t>(i)]; }

  // The spans lie where the optimizer works: in host memory, or a device's.
  virtual void update(const UpdateArgs& args) const = 0;
  // block_square_sums() of values that lie there, into sums there; `left_out`: host memory.
  virtual void square_sums(std::span<const float> values, std::span<const ElementRange> left_out,
                           std::span<double> sums) const = 0;
  // average += take (params - average), element by element, both of one length; take 1: a copy.
  virtual void follow(std::span<const float> params, std::span<float> average,
                      float take) const = 0;

 protected:
  // Asserts that the lengths agree.
  void check(const UpdateArgs& args) const;
};

// In host memory. Throws UsageError on values outside their range.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config);

}  // namespace edt
