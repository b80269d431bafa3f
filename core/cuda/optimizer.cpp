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
    auto* device = static_cast<std::byte*>(backend_.scratch().bytes(
        ScratchSlot::kSums, sums.size_bytes() + left_out.size() * sizeof(LeftOut)));
    SquareSumsCall call{.values = values.data(),
                        .size = static_cast<std::int64_t>(values.size()),
                        .block = static_cast<std::int64_t>(kNormBlock),
                        .ranges = reinterpret_cast<LeftOut*>(device + sums.size_bytes()),
                        .count = static_cast<std::int64_t>(left_out.size()),
                        .sums = reinterpret_cast<double*>(device)};
    std::vector<LeftOut> ranges;
    for (const ElementRange& range : left_out) {
      ranges.push_back(
          {static_cast<std::int64_t>(range.begin), static_cast<std::int64_t>(range.end)});
    }
    if (!ranges.empty()) {
      check_cuda(cudaMemcpyAsync(device + sums.size_bytes(), ranges.data(),
                                 ranges.size() * sizeof(LeftOut), cudaMemcpyHostToDevice,
                                 backend_.stream()),
                 "gradient norm");
    }
    launch_square_sums(backend_.stream(), call);
    check_cuda(cudaMemcpyAsync(sums.data(), device, sums.size_bytes(), cudaMemcpyDeviceToHost,
                               backend_.stream()),
               "gradient norm");
    backend_.synchronize();
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

  OptimizerConfig config_;
  std::unique_ptr<Optimizer> host_;
  CudaBackend& backend_;
};

}  // namespace

std::unique_ptr<Optimizer> CudaBackend::make_optimizer(const OptimizerConfig& config) {
  return std::make_unique<CudaOptimizer>(config, *this);
}

}  // namespace edt
