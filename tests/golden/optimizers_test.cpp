// Adan and AdamW against the published implementations: eight updates of each variant.
#include <gtest/gtest.h>

#include <string>

#include "core/optim/grad_norm.h"
#include "core/optim/optimizer.h"
#include "tests/golden/golden_file.h"

namespace edt {
namespace {

OptimizerConfig golden_config(const test::GoldenFile& file, const std::string& name) {
  const auto betas = file.numbers(name, "betas");
  const double eps = file.number(name, "eps");
  const double decay = file.number(name, "weight_decay");
  if (betas.size() == 2) return AdamWConfig{{betas[0], betas[1]}, eps, decay};
  return AdanConfig{{betas[0], betas[1], betas[2]}, eps, decay, file.number(name, "no_prox") != 0};
}

class GoldenOptimizer : public testing::TestWithParam<std::string> {};

TEST_P(GoldenOptimizer, FollowsThePublishedCode) {
  const test::GoldenFile file("optimizers.h5");
  const std::string name = GetParam();
  const auto optimizer = make_optimizer(golden_config(file, name));
  const auto grads = file.read<float>(name + "/grads");
  const auto expected = file.read<float>(name + "/params_after");
  const bool clips = name == "adan_wd_clip";
  const double max_norm = clips ? file.number(name, "max_grad_norm") : 0;
  auto params = file.read<float>(name + "/init");
  const std::size_t n = params.size();
  std::vector<std::vector<float>> memory(static_cast<std::size_t>(optimizer->state_count()),
                                         std::vector<float>(n));
  const std::vector<std::span<float>> states(memory.begin(), memory.end());
  const auto steps = static_cast<std::int64_t>(grads.size() / n);
  ASSERT_EQ(steps, 8);
  std::vector<double> sums(norm_blocks(n));
  for (std::int64_t step = 1; step <= steps; ++step) {
    const auto offset = static_cast<std::ptrdiff_t>(n) * (step - 1);
    const auto now = std::span(grads).subspan(static_cast<std::size_t>(offset), n);
    block_square_sums(now, sums);
    const double scale = clip_factor(norm_of(sums), max_norm);
    EXPECT_EQ(scale < 1, clips);
    optimizer->update({.params = params,
                       .grads = now,
                       .states = states,
                       .step = step,
                       .learning_rate = file.number(name, "lr"),
                       .grad_scale = scale});
    // The roundings happen in the order of the published code: one unit in the last place.
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_NEAR(params[i], expected[static_cast<std::size_t>(offset) + i], 2.4e-7)
          << name << " step " << step << " element " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenOptimizer,
                         testing::Values("adan", "adan_wd", "adan_wd_clip", "adan_noprox", "adamw"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace edt
