// Adan and AdamW on shards in GPU memory, and their gradient norm.
#include <vector>

#include "core/cuda/backend.h"
#include "core/cuda/error.h"
#include "core/cuda/kernels/optimizer.h"
#include "core/optim/adamw.h"
#include "core/optim/adan.h"

namespace edt {
namespace {

class CudaOptimizer final : public Optimizer {
 public:
  // The host's optimizer of the same configuration checks it and knows the names.
  CudaOptimizer(const OptimizerConfig& config, CudaBackend& backend)
      : config_(config), host_(edt::make_optimizer(config)), backend_(backend) {}

  std::string_view name() const override { return host_->name(); }
  std::span<const std::string_view> state_names() const override { return host_->state_names(); }

  void update(const UpdateArgs& args) const override {
    check(args);
    const ShardPointers shard = pointers(args);
    if (const auto* config = std::get_if<AdanConfig>(&config_)) {
      launch_adan(backend_.stream(), adan_scalars(*config, args), args.step == 1, shard);
    } else {
      launch_adamw(backend_.stream(), adamw_scalars(std::get<AdamWConfig>(config_), args), shard);
    }
  }

  void square_sums(std::span<const float> values, std::span<const ElementRange> left_out,
                   std::span<double> sums) const override {
    EDT_ASSERT(sums.size() == norm_blocks(values.size()));
    if (values.empty()) return;
    SquareSumsCall call{.values = values.data(),
                        .size = static_cast<std::int64_t>(values.size()),
                        .block = static_cast<std::int64_t>(kNormBlock),
                        .ranges = ranges_on_device(left_out),
                        .count = static_cast<std::int64_t>(left_out.size()),
                        .sums = sums.data()};
    launch_square_sums(backend_.stream(), call);
  }

  void follow(std::span<const float> params, std::span<float> average, float take) const override {
    EDT_ASSERT(params.size() == average.size());
    launch_follow(backend_.stream(),
                  {static_cast<std::int64_t>(params.size()), params.data(), average.data(), take});
  }

 private:
  static ShardPointers pointers(const UpdateArgs& args) {
    ShardPointers shard{.size = static_cast<std::int64_t>(args.params.size()),
                        .grads = args.grads.data(),
                        .params = args.params.data(),
                        .ema = args.ema.data(),
                        .working = args.working.data(),
                        .ema_keep = static_cast<float>(args.ema_decay),
                        .ema_take = static_cast<float>(1 - args.ema_decay)};
    for (std::size_t i = 0; i < args.states.size(); ++i) shard.states[i] = args.states[i].data();
    return shard;
  }

  const LeftOut* ranges_on_device(std::span<const ElementRange> left_out) const {
    if (left_out.empty()) return nullptr;
    std::vector<LeftOut> ranges;
    for (const ElementRange& range : left_out) {
      ranges.push_back(
          {static_cast<std::int64_t>(range.begin), static_cast<std::int64_t>(range.end)});
    }
    const std::size_t bytes = ranges.size() * sizeof(LeftOut);
    auto* device = static_cast<LeftOut*>(backend_.scratch().bytes(ScratchSlot::kSums, bytes));
    // Memory that is not pinned has been read when the call returns.
    check_cuda(
        cudaMemcpyAsync(device, ranges.data(), bytes, cudaMemcpyHostToDevice, backend_.stream()),
        "gradient norm");
    return device;
  }

  OptimizerConfig config_;
  std::unique_ptr<Optimizer> host_;
  CudaBackend& backend_;
};

}  // namespace

std::unique_ptr<Optimizer> CudaBackend::make_optimizer(const OptimizerConfig& config) {
  return std::make_unique<CudaOptimizer>(config, *this);
}

}  // namespace edt
