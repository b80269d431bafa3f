// E-MMDiT against values of the published code: what stands on the way, losses, every gradient,
// samples. Tolerances as in models_test.cpp.
#include "tests/golden/emmdit_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include "model/diffusion/guidance.h"
#include "model/families/presets.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/golden/golden_cases.h"

namespace edt::test::emmdit {
namespace {

class EmmditGolden : public GoldenTest {
 protected:
  void begin() override { run_.emplace(file_, *backend_, GetParam().dtype); }

  Tape& tape() { return run_->golden().tape(); }
  std::vector<float> host(const Var& value) { return run_->golden().host(value.tensor()); }
  // The file's values for the parameters of a part of the network.
  void load(ParameterList& list) {
    for (Parameter& parameter : list.all()) {
      parameter.value = run_->golden().tensor(file_.read<float>("/params/" + parameter.name),
                                              parameter.shape, GetParam().dtype);
    }
  }
  Var expected(const std::string& name) {
    Shape shape;
    for (const std::int64_t size : file_.shape("/expected/" + name)) shape.append(size);
    return run_->value(file_.read<float>("/expected/" + name), shape);
  }
  void expect_value(const Var& actual, const std::string& name) {
    expect_close(host(actual), "/expected/" + name, GetParam().output_tolerance);
  }

  std::optional<EmmditRun> run_;
};

double largest_of(const std::vector<float>& values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(double{value}));
  return largest;
}

// Queries of the last text, which nobody reads.
bool is_dead(const std::string& name, const std::string& last_block) {
  return name.starts_with(last_block) &&
         (name.find(".add_q_proj.") != name.npos || name.find(".norm_added_q.") != name.npos);
}

TEST_P(EmmditGolden, LossesAndAllGradients) {
  const auto& groups = emmdit_config(file_).groups;
  const std::string last_block = fmt::format("block_groups.2.{}.", groups[2] - 1);
  for (const Recompute recompute :
       {Recompute::kLeast, Recompute::kNone, Recompute::kSelective, Recompute::kFull}) {
    run_.emplace(file_, *backend_, GetParam().dtype);
    run_->golden().model().set_recompute(recompute);
    const GoldenValues values = run_->step();
    for (const auto& [name, actual] : values) {
      expect_close(actual, "/expected/" + name, GetParam().output_tolerance);
    }
    EXPECT_EQ(values.size(), run_->has_features() ? 7u : 4u);
    std::size_t count = 0, dead = 0;
    for (const Parameter& parameter : run_->golden().model().parameters().all()) {
      const std::vector<float> gradient = run_->golden().host(parameter.grad);
      const std::string name = "/grads/" + parameter.name;
      ++count;
      if (is_dead(parameter.name, last_block)) {
        EXPECT_EQ(largest_of(gradient), 0) << parameter.name;
        EXPECT_EQ(largest_of(file_.read<float>(name)), 0) << parameter.name;
        ++dead;
      } else if (largest_of(file_.read<float>(name)) < 1e-7) {
        // A bias of keys that nothing norms: what it adds to a row of logits is the same for all.
        EXPECT_LE(largest_of(gradient), 1e-5) << parameter.name;
      } else {
        expect_close(gradient, name, GetParam().gradient_tolerance);
      }
    }
    EXPECT_EQ(count, file_.names("/grads").size());
    EXPECT_EQ(dead, emmdit_config(file_).head_norm == HeadNorm::kRms ? 3u : 2u);
  }
}

TEST_P(EmmditGolden, Outputs) {
  expect_close(run_->x_t(), "/expected/x_t", 1e-6);
  expect_close(run_->output(), "/expected/output_eval", GetParam().output_tolerance);
}

TEST_P(EmmditGolden, EmbeddingsOfPictureTextAndTime) {
  const EmmditConfig config = emmdit_config(file_);
  const Tape::NoGrad inference(tape());
  {
    ParameterList list;
    const auto time = TimeModulation::make(list, config.width);
    const auto text = Linear::make(list, "context_embedder", config.width, config.text.channels);
    const std::int64_t patch = config.patch;
    Parameter& weight =
        list.add("pos_embed.proj.weight", {config.width, config.latents.channels, patch, patch},
                 Init::kZero);
    Parameter& bias = list.add("pos_embed.proj.bias", {config.width}, Init::kZero);
    load(list);
    const Var embedded = time.embed(tape(), run_->told(run_->sigma()));
    expect_value(embedded, "t_embedding");
    expect_value(time(tape(), embedded), "t_modulation");
    const Tensor features = run_->texts(run_->text());
    expect_value(text(tape(), run_->value(run_->text(), features.shape)), "context");
    const Tensor image = run_->golden().tensor(
        run_->x_t(),
        {run_->batch(), config.latents.channels, config.latents.height, config.latents.width},
        tape().accurate_dtype());
    const Tensor positions =
        run_->golden().tensor(file_.read<float>("/params/pos_embed_lv0"),
                              {config.patches().tokens(), config.width}, GetParam().dtype);
    expect_value(patch_embedding(tape(), image, weight, bias, positions), "after_pos_embed");
  }
  tape().clear();
}

TEST_P(EmmditGolden, FirstBlockOfBothStreams) {
  const EmmditConfig config = emmdit_config(file_);
  const Tape::NoGrad inference(tape());
  {
    ParameterList list;
    const auto block = JointBlock::make(list, "block_groups.0.0",
                                        {.width = config.width,
                                         .heads = config.heads,
                                         .hidden_units = config.hidden_units(),
                                         .head_norm = config.head_norm,
                                         .regions = config.regions_of(0)});
    load(list);
    const JointTokens given = block(tape(), {expected("after_pos_embed"), expected("context")},
                                    expected("t_modulation"), {}, Recompute::kNone);
    expect_value(given.image, "block0_tokens");
    expect_value(given.text, "block0_context");
  }
  tape().clear();
}

TEST_P(EmmditGolden, CompressorAndReconstructor) {
  const EmmditConfig config = emmdit_config(file_);
  const std::int64_t first = config.groups[0], second = first + config.groups[1];
  auto tokens = run_->tokens_after({first, second});
  const Tape::NoGrad inference(tape());
  {
    ParameterList list;
    const auto compressor = TokenCompressor::make(list, config.width);
    const auto reconstructor = TokenReconstructor::make(list, config.width);
    load(list);
    const TokenGrid grid = config.patches();
    const Var fine = run_->value(tokens[first], {run_->batch(), grid.tokens(), config.width});
    expect_value(compressor(tape(), fine, grid), "compressed");
    const std::int64_t few = config.site_after(second).grid.tokens();
    const Var middle = run_->value(tokens[second], {run_->batch(), few, config.width});
    expect_value(reconstructor(tape(), middle, fine, grid, {}), "reconstructed_before_position");
  }
  tape().clear();
}

// Euler's steps at the published points, guided on all channels.
TEST_P(EmmditGolden, Samples) {
  const auto sigmas = file_.read<double>("/inputs/sample/sigmas");
  std::vector<float> x = file_.read<float>("/inputs/sample/z");
  const std::vector<float> all = file_.read<float>("/inputs/text"),
                           null_text = file_.read<float>("/inputs/null_text");
  const auto pictures = file_.shape("/inputs/sample/z");
  const Shape shape{pictures[0], pictures[1], pictures[2], pictures[3]};
  const auto rows = static_cast<std::size_t>(shape[0]);
  std::vector<float> texts(all.begin(),
                           all.begin() + static_cast<std::ptrdiff_t>(rows * null_text.size()));
  for (std::size_t row = 0; row < rows; ++row) {
    texts.insert(texts.end(), null_text.begin(), null_text.end());
  }
  GuidedDenoiser guided(
      [&](const Tensor& x_t, const Evaluation& at, const Tensor& out) {
        const auto seen = x_t.span<float>();
        std::ranges::copy(run_->velocity({seen.begin(), seen.end()}, at.t, texts), out.as<float>());
      },
      {.scale = file_.number("/", "cfg_scale"), .channels = {GuidedChannels::kAll}});
  std::vector<float> out(x.size());
  const Process& process = run_->golden().model().process();
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    guided({x.data(), shape, DType::kFloat32}, {.t = sigmas[i], .step_t = sigmas[i]},
           {out.data(), shape, DType::kFloat32});
    const Mix velocity = process.velocity(process.at(sigmas[i]));
    for (std::size_t p = 0; p < x.size(); ++p) {
      x[p] += static_cast<float>((sigmas[i + 1] - sigmas[i]) * velocity(x[p], out[p]));
    }
  }
  expect_close(x, "/expected/sample_euler", GetParam().dtype == DType::kFloat32 ? 3e-5 : 1e-1);
}

std::vector<GoldenPart> emmdit_parts() {
  std::vector<GoldenPart> all;
  for (const std::string& file : golden_models("emmdit")) all.push_back({file});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, EmmditGolden, testing::ValuesIn(on_host(emmdit_parts())));
INSTANTIATE_TEST_SUITE_P(Cuda, EmmditGolden, testing::ValuesIn(on_gpu(emmdit_parts())));

// The published table is computed in float32.
TEST(EmmditTables, PositionsArePublished) {
  for (const std::string& name : golden_models("emmdit")) {
    const GoldenFile file(name);
    const auto backend = golden_backend("reference");
    const EmmditModel model(emmdit_config(file), *backend, DType::kFloat32);
    ASSERT_EQ(model.fixed_tables().size(), 1u);
    const FixedTable& table = model.fixed_tables().front();
    EXPECT_EQ(table.name, "pos_embed.pos_embed");
    EXPECT_LE(relative_error(table.values, file.read<float>("/params/" + table.name)), 2e-6);
  }
}

struct CutEmmdit {
  std::string file;
  const char* backend;
};

void PrintTo(const CutEmmdit& c, std::ostream* out) { *out << c.file << " on " << c.backend; }

class EmmditOverRanks : public testing::TestWithParam<CutEmmdit> {};

// Sums over ranks change the order of summation only. What all ranks hold has the same bits.
TEST_P(EmmditOverRanks, LossesAndAllGradients) {
  const GoldenFile file(GetParam().file);
  const auto degrees = emmdit_config(file).tensor_degrees();
  if (degrees.size() == 1) GTEST_SKIP() << "one head";
  const int ranks = degrees[1];
  struct Part {
    GoldenValues values;
    std::vector<std::vector<float>> gradients;
    std::vector<TensorShard> shards;
  };
  std::vector<Part> parts(static_cast<std::size_t>(ranks));
  std::mutex hdf5;  // is not thread-safe
  run_ranks(ranks, [&](Communicator& communicator) {
    const auto backend = golden_backend(GetParam().backend);
    const auto run = [&] {
      const std::lock_guard lock(hdf5);
      return std::make_unique<EmmditRun>(file, *backend, DType::kFloat32,
                                         TensorGroup{&communicator});
    }();
    Part& part = parts[static_cast<std::size_t>(communicator.rank())];
    part.values = run->step();
    for (const Parameter& parameter : run->golden().model().parameters().all()) {
      part.gradients.push_back(run->golden().host(parameter.grad));
    }
    part.shards = run->golden().model().parameters().shards();
  });
  const auto backend = golden_backend("reference");
  EmmditRun whole(file, *backend, DType::kFloat32);
  std::size_t i = 0;
  for (const Parameter& parameter : whole.golden().model().parameters().all()) {
    std::vector<float> gradient(static_cast<std::size_t>(parameter.shape.elements()));
    for (const Part& part : parts) {
      part.shards[i].put(part.gradients[i], gradient);
      if (part.shards[i].whole()) {
        EXPECT_EQ(part.gradients[i], parts[0].gradients[i]) << parameter.name;
      }
    }
    const auto expected = file.read<float>("/grads/" + parameter.name);
    if (largest_of(expected) < 1e-7) {
      EXPECT_LE(largest_of(gradient), 1e-5) << parameter.name;
    } else {
      EXPECT_LE(relative_error(gradient, expected), 1.5e-4) << parameter.name;
    }
    ++i;
  }
  for (const Part& part : parts) {
    EXPECT_EQ(part.values, parts[0].values);
    for (const auto& [name, actual] : part.values) {
      EXPECT_LE(relative_error(actual, file.read<float>("/expected/" + name)), 1e-5) << name;
    }
  }
}

std::vector<CutEmmdit> cut_cases() {
  std::vector<CutEmmdit> all;
  for (const std::string& file : golden_models("emmdit")) {
    for (const char* backend : {"reference", "cpu"}) all.push_back({file, backend});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, EmmditOverRanks, testing::ValuesIn(cut_cases()));

}  // namespace
}  // namespace edt::test::emmdit
