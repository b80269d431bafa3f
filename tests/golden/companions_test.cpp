// What trains beside the denoising loss: VAE-REPA on REPA's published SiT, and on EDT after its
// first and its second stage. Tolerances as in models_test.cpp.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <optional>
#include <set>

#include "tests/golden/golden_cases.h"
#include "tests/golden/golden_run.h"

namespace edt::test {
namespace {

class CompanionGolden : public GoldenTest {
 protected:
  void begin() override { run_.emplace(file_, *backend_, GetParam().dtype); }

  std::string in_group(const std::string& name) const {
    return (is_edt() ? "/" + part() : "") + name;
  }
  // Of an EDT's file, which has several places.
  bool is_edt() const { return !part().empty(); }
  LatentAlignmentConfig alignment() const {
    const std::string place = is_edt() ? in_group("") : "/";
    LatentAlignmentConfig config;
    config.after = static_cast<std::int64_t>(file_.number(place, "align_block"));
    config.beta = file_.number("/", "smooth_l1_beta");
    config.course.weight = file_.number("/", "align_coeff");
    const bool both = is_edt() && file_.number(place, "both_passes") != 0;
    config.pass = both ? CompanionPass::kBoth : CompanionPass::kFull;
    return config;
  }
  void align(const LatentAlignmentConfig& config) {
    run_->add_companions(file_, {.latent = config}, in_group("/params/"));
  }
  const std::deque<Parameter>& parameters() { return run_->golden().model().parameters().all(); }

  std::optional<GoldenRun> run_;
};

float mean_of(std::span<const float> values) {
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return static_cast<float>(sum / static_cast<double>(values.size()));
}

TEST_P(CompanionGolden, LossesAndAllGradients) {
  align(alignment());
  const GoldenStep step = run_->step();
  const double tolerance = GetParam().output_tolerance;
  ASSERT_EQ(step.beside.size(), 1u);
  const std::size_t batch = run_->times().size();
  const std::span<const float> rows = step.beside[0];
  if (is_edt()) {
    expect_close({mean_of(rows.first(batch))}, in_group("/expected/align_full"), tolerance);
    if (alignment().pass == CompanionPass::kBoth) {
      expect_close({mean_of(rows.subspan(batch, batch))}, in_group("/expected/align_masked"),
                   tolerance);
    }
  } else {
    expect_close({rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(batch)},
                 "/expected/align_smooth_l1_per_sample", tolerance);
    expect_close(step.full.mse, "/expected/denoising_loss", tolerance);
  }
  EXPECT_NEAR(step.loss / file_.read<double>(in_group("/expected/total_loss"))[0], 1, tolerance);
  for (const Parameter& parameter : parameters()) {
    expect_close(run_->golden().host(parameter.grad), in_group("/grads/") + parameter.name,
                 GetParam().gradient_tolerance);
  }
  EXPECT_EQ(parameters().size(), file_.names(in_group("/grads")).size());
}

// Blocks behind the one that is read, and all that follows them, have no share in it.
TEST_P(CompanionGolden, AloneItReachesNoBlockBehind) {
  if (is_edt()) GTEST_SKIP() << "the file has no such gradients";
  align(alignment());
  run_->step(0);
  const auto names = file_.names("/grads_align_alone");
  const std::set<std::string> reached(names.begin(), names.end());
  std::size_t found = 0;
  for (const Parameter& parameter : parameters()) {
    const std::vector<float> gradient = run_->golden().host(parameter.grad);
    if (reached.contains(parameter.name)) {
      expect_close(gradient, "/grads_align_alone/" + parameter.name, GetParam().gradient_tolerance);
      ++found;
    } else {
      EXPECT_EQ(gradient, std::vector<float>(gradient.size(), 0.f)) << parameter.name;
    }
  }
  EXPECT_EQ(found, reached.size());
}

TEST_P(CompanionGolden, EveryDistance) {
  if (is_edt()) GTEST_SKIP() << "the file has one distance";
  const std::pair<Distance, const char*> distances[] = {
      {Distance::kAbsolute, "l1"},
      {Distance::kSquare, "l2"},
      {Distance::kDirection, "cosine_over_channels"}};
  for (const auto& [distance, name] : distances) {
    run_.emplace(file_, *backend_, GetParam().dtype);
    LatentAlignmentConfig config = alignment();
    config.distance = distance;
    align(config);
    std::vector<float> rows = run_->step().beside[0];
    rows.resize(run_->times().size());
    expect_close(rows, fmt::format("/expected/align_{}_per_sample", name),
                 GetParam().output_tolerance);
  }
}

std::vector<GoldenPart> companion_parts() {
  std::vector<GoldenPart> all;
  for (const std::string& file : golden_models("sit+vae-repa")) all.push_back({file});
  for (const std::string& file : golden_models("edt velocity")) {
    for (const char* group : {"stage0_full_pass", "stage1_both_passes"}) {
      if (GoldenFile(file).has(std::string("/") + group)) all.push_back({file, group});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, CompanionGolden, testing::ValuesIn(on_host(companion_parts())));
INSTANTIATE_TEST_SUITE_P(Cuda, CompanionGolden, testing::ValuesIn(on_gpu(companion_parts())));

}  // namespace
}  // namespace edt::test
