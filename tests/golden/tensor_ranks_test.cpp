// EDT, MDTv2 and DiT over tensor ranks against the published implementation's values. Sums over
// ranks change the order of summation only, so the tolerances are those of one rank.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <optional>

#include "core/cpu/cpu_backend.h"
#include "core/reference/reference_backend.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/golden/golden_run.h"

namespace edt::test {
namespace {

constexpr double kOutputTolerance = 1e-5, kGradientOnRanksTolerance = 1.5e-4;

struct CutCase {
  std::string file;
  int ranks;
  const char* backend;
};

void PrintTo(const CutCase& c, std::ostream* out) {
  *out << c.file << " over " << c.ranks << " ranks on " << c.backend;
}

// What one rank computed.
struct Result {
  GoldenStep step;
  std::vector<std::vector<float>> gradients;
  std::vector<float> output, output_modulated;
  std::vector<TensorShard> shards;
};

Result run_rank(const CutCase& c, Communicator& ranks, Recompute recompute) {
  static std::mutex hdf5;  // is not thread-safe
  const auto backend =
      std::string_view(c.backend) == "cpu" ? make_cpu_backend() : make_reference_backend();
  std::vector<std::int64_t> labels;  // of the output in eval mode, where they are others
  const auto run = [&] {
    const std::lock_guard lock(hdf5);
    const GoldenFile file(c.file);
    if (golden_kind(file).ends_with(" ternary")) {
      labels = file.read<std::int64_t>("/inputs/labels");
    }
    return std::make_unique<GoldenRun>(file, *backend, DType::kFloat32, TensorGroup{&ranks});
  }();
  Model& model = run->golden().model();
  model.set_recompute(recompute);
  Result result{run->step()};
  for (const Parameter& parameter : model.parameters().all()) {
    result.gradients.push_back(run->golden().host(parameter.grad));
  }
  result.shards = model.parameters().shards();
  result.output = run->output();
  run->golden().use_modulation();
  result.output_modulated = run->output(labels);
  return result;
}

std::vector<Result> run_all(const CutCase& c, Recompute recompute = Recompute::kNone) {
  std::vector<Result> results(static_cast<std::size_t>(c.ranks));
  run_ranks(c.ranks, [&](Communicator& ranks) {
    results[static_cast<std::size_t>(ranks.rank())] = run_rank(c, ranks, recompute);
  });
  return results;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Tensors of which every rank has a part: 5 weights, the biases of qkv, fc1 and adaLN, and the bias
// table of each block; adaLN of EDT's two down-samplings and two concatenations, and of the final
// layer.
std::size_t cut_tensors(const ModelConfig& config) {
  if (const auto* edt = config.as<EdtConfig>())
    return 9 * static_cast<std::size_t>(edt->blocks()) + 2 * 5;
  if (const auto* dit = config.as<DitConfig>()) return 8 * static_cast<std::size_t>(dit->depth) + 2;
  const auto& mdtv2 = *config.as<Mdtv2Config>();
  const auto blocks = static_cast<std::size_t>(mdtv2.encoder_depth + mdtv2.decoder_depth + 1);
  return 9 * blocks + 2;
}

class GoldenTensorRanks : public testing::TestWithParam<CutCase> {
 protected:
  void expect_close(const std::vector<float>& actual, const std::string& name, double tolerance) {
    EXPECT_LE(relative_error(actual, file_.read<float>(name)), tolerance) << name;
  }

  GoldenFile file_{GetParam().file};
};

TEST_P(GoldenTensorRanks, OutputsLossesAndAllGradients) {
  const std::vector<Result> results = run_all(GetParam());
  const bool is_sequence = golden_kind(file_) == "mdt_sequence";
  const double vb_tolerance = is_sequence ? 2e-4 : kOutputTolerance;  // sequence_test.cpp says why
  for (const Result& rank : results) {
    expect_close(rank.step.full.mse, "/expected/full/mse", kOutputTolerance);
    expect_close(rank.step.full.vb, "/expected/full/vb", vb_tolerance);
    if (rank.step.masked) {
      expect_close(rank.step.masked->mse, "/expected/masked/mse", kOutputTolerance);
      expect_close(rank.step.masked->vb, "/expected/masked/vb", vb_tolerance);
    }
    expect_close(rank.output, "/expected/output_train", kOutputTolerance);
    expect_close(rank.output_modulated,
                 is_sequence ? "/expected/output_train" : "/expected/output_eval",
                 kOutputTolerance);
  }
  const auto backend = make_reference_backend();
  const GoldenModel whole(file_, *backend, DType::kFloat32);
  std::size_t i = 0, cut = 0;
  for (const Parameter& parameter : whole.model().parameters().all()) {
    std::vector<float> gradient(static_cast<std::size_t>(parameter.shape.elements()));
    for (const Result& rank : results) rank.shards[i].put(rank.gradients[i], gradient);
    expect_close(gradient, "/grads/" + parameter.name, kGradientOnRanksTolerance);
    cut += !results[0].shards[i].whole();
    ++i;
  }
  EXPECT_EQ(i, file_.names("/grads").size());
  EXPECT_EQ(cut, cut_tensors(whole.config()));
}

TEST_P(GoldenTensorRanks, WhatAllRanksHoldHasTheSameBits) {
  const std::vector<Result> results = run_all(GetParam());
  for (const Result& rank : results) {
    EXPECT_TRUE(same_bits(rank.output, results[0].output));
    EXPECT_TRUE(same_bits(rank.step.full.vb, results[0].step.full.vb));
    for (std::size_t i = 0; i < rank.gradients.size(); ++i) {
      if (!rank.shards[i].whole()) continue;
      EXPECT_TRUE(same_bits(rank.gradients[i], results[0].gradients[i])) << "gradient " << i;
    }
  }
}

TEST_P(GoldenTensorRanks, TheSameBitsAgainAndWithRecomputation) {
  const std::vector<Result> first = run_all(GetParam());
  for (const Recompute recompute : {Recompute::kNone, Recompute::kSelective, Recompute::kFull}) {
    const std::vector<Result> again = run_all(GetParam(), recompute);
    for (std::size_t rank = 0; rank < first.size(); ++rank) {
      EXPECT_TRUE(same_bits(again[rank].step.full.mse, first[rank].step.full.mse));
      for (std::size_t i = 0; i < first[rank].gradients.size(); ++i) {
        EXPECT_TRUE(same_bits(again[rank].gradients[i], first[rank].gradients[i]))
            << "gradient " << i << " of rank " << rank;
      }
    }
  }
}

// The head of VAE-REPA, which every rank has: whole gradients have the same bits on all ranks.
TEST(GoldenTensorRanksOfCompanions, LossesAndAllGradients) {
  for (const std::string& name : golden_models("sit+vae-repa")) {
    const GoldenFile file(name);
    constexpr int kRanks = 2;
    std::mutex hdf5;
    std::vector<Result> results(kRanks);
    std::vector<std::string> names;
    run_ranks(kRanks, [&](Communicator& ranks) {
      const auto backend = make_cpu_backend();
      std::optional<GoldenRun> run;
      {
        const std::lock_guard lock(hdf5);
        run.emplace(file, *backend, DType::kFloat32, TensorGroup{&ranks});
        LatentAlignmentConfig latent;
        latent.after = static_cast<std::int64_t>(file.number("/", "align_block"));
        run->add_companions(file, {.latent = latent});
      }
      Result& result = results[static_cast<std::size_t>(ranks.rank())];
      result.step = run->step();
      const Model& model = run->golden().model();
      result.shards = model.parameters().shards();
      for (const Parameter& parameter : model.parameters().all()) {
        result.gradients.push_back(run->golden().host(parameter.grad));
        if (ranks.is_root()) names.push_back(parameter.name);
      }
    });
    for (std::size_t i = 0; i < names.size(); ++i) {
      const TensorShard& shard = results[0].shards[i];
      std::vector<float> gradient(static_cast<std::size_t>(shard.logical.elements()));
      for (const Result& rank : results) rank.shards[i].put(rank.gradients[i], gradient);
      EXPECT_LE(relative_error(gradient, file.read<float>("/grads/" + names[i])),
                kGradientOnRanksTolerance)
          << names[i];
      if (!shard.whole()) continue;
      EXPECT_TRUE(same_bits(results[1].gradients[i], results[0].gradients[i])) << names[i];
    }
    EXPECT_EQ(names.size(), file.names("/grads").size());
    EXPECT_EQ(results[1].step.beside, results[0].step.beside);
  }
}

std::vector<CutCase> cut_cases() {
  std::vector<CutCase> all;
  for (const char* kind : {"edt", "mdtv2", "dit", "edt ternary", "dit ternary", "mdt_sequence"}) {
    for (const std::string& file : golden_models(kind)) {
      for (const int degree : golden_config(GoldenFile(file)).tensor_degrees()) {
        if (degree == 1) continue;
        for (const char* backend : {"reference", "cpu"}) all.push_back({file, degree, backend});
      }
    }
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, GoldenTensorRanks, testing::ValuesIn(cut_cases()));

}  // namespace
}  // namespace edt::test
