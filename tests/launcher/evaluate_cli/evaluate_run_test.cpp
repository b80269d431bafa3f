// Samples of a run, made and judged in one go.
#include <fmt/format.h>
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/hdf5.h"
#include "data/dataset.h"
#include "model/evaluation/frechet.h"
#include "tests/golden/evaluation/ruled_inception.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"
#include "tests/support/places.h"
#include "tests/support/run_metrics.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class EvaluateRunCli : public CliRun {
 protected:
  const std::string command_ =
      "evaluate " + run_ + " --steps 3 --batch 4 --kid-size 10 --kid-subsets 3 --threads 1";

  nlohmann::json judged(const std::string& options) const {
    const Outcome outcome = run(command_ + options + " --json");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return parse_json(outcome.output, "figures");
  }
  std::string inception() const {
    const std::string file = path_ + "/inception.safetensors";
    write_ruled_inception(GoldenFile(in_sources("tests/golden/evaluation/inception.h5")), file);
    return " --inception " + file;
  }
};

TEST_F(EvaluateRunCli, LatentsAreJudgedAlikeOnAnyNumberOfRanks) {
  const std::string all = command_ + " --count 18 --json";  // not a multiple of the batch
  const Outcome alone = run(all);
  ASSERT_EQ(alone.status, 0) << alone.output;
  for (const int ranks : {2, 4}) {
    const Outcome shared = mpirun(fmt::format("-np {} {} {}", ranks, edt_program(), all));
    ASSERT_EQ(shared.status, 0);
    EXPECT_EQ(shared.output, alone.output) << ranks;
  }
  const auto figures = parse_json(alone.output, "figures");
  EXPECT_GT(figures["latent_frechet"]["value"].get<double>(), 0);
  for (const char* name :
       {"latent_precision", "latent_recall", "latent_density", "latent_coverage", "latent_mmd"}) {
    EXPECT_TRUE(figures.contains(name)) << name;
  }
  EXPECT_THAT(alone.output, Not(HasSubstr("\"fid\"")));
  EXPECT_EQ(figures["features"]["features"], 4 * 8 * 8);
  EXPECT_EQ(figures["reference"]["source"], data_);
  EXPECT_EQ(figures["reference"]["pictures"], 32);
  const auto& samples = figures["samples"];
  EXPECT_EQ(samples["pictures"], 18);
  EXPECT_EQ(samples["step"], 3);
  EXPECT_EQ(samples["weights"], "ema");
  EXPECT_EQ(samples["labels"], "random");
  EXPECT_EQ(samples["sampler"], "ddpm");
  EXPECT_EQ(samples["timesteps"].size(), 3u);
  EXPECT_EQ(samples["cfg_scale"], 1.0);
  EXPECT_EQ(samples["batch"], 4);
  EXPECT_THAT(dump_json(figures["notes"]),
              AllOf(HasSubstr("they are no FID"),
                    HasSubstr("18 samples of 256 features: their covariance has no full rank"),
                    HasSubstr("32 of reference, of 256 features")));
  EXPECT_THAT(run(command_ + " --count 18").output,
              AllOf(HasSubstr("latent Frechet distance"), HasSubstr("256 latents"),
                    HasSubstr("labels at random"), Not(HasSubstr("FID "))));
}

// Samples that edt sample writes, and the data set read here: the same distance.
TEST_F(EvaluateRunCli, LatentsAreThoseOfEdtSample) {
  ASSERT_EQ(run("sample " + run_ +
                " --images 12 --steps 3 --batch 4 --cfg-scale 2 --threads 1 "
                "--latents " +
                path_ + "/latents.h5")
                .status,
            0);
  const auto latents =
      h5::File::open(path_ + "/latents.h5").dataset("latents").read_all<float>(h5::Type::kFloat32);
  constexpr std::int64_t kElements = 4 * 8 * 8;
  FeatureMoments samples(kElements), reference(kElements);
  samples.add({latents, kElements});
  const data::Dataset dataset(data_);
  std::vector<data::SampleRef> refs;
  // As in the first epoch of the run: each one flipped or not.
  data::SampleOrder order = dataset.make_order({.seed = 0});
  for (std::uint64_t i = 0; i < order.size(); ++i) refs.push_back(order.at(i));
  std::vector<float> values(refs.size() * kElements);
  data::ReadScratch scratch;
  dataset.read(refs, 0, scratch, values);
  reference.add({values, kElements});
  const double expected =
      FrechetReference(reference.statistics()).distance_to(samples.statistics()).value();

  const auto figures = judged(" --count 12 --labels in-turn --cfg-scale 2");
  // Sums over blocks of threads may be in another order there.
  EXPECT_NEAR(figures["latent_frechet"]["value"].get<double>(), expected, 1e-9 * expected);
  EXPECT_EQ(figures["samples"]["labels"], "in-turn");
  EXPECT_THAT(dump_json(figures["notes"]),
              AllOf(HasSubstr("guidance 2: compare with figures of the same guidance alone"),
                    HasSubstr("labels in turn: published figures draw them at random")));
  EXPECT_NE(judged(" --count 12 --cfg-scale 2")["latent_frechet"], figures["latent_frechet"]);
  EXPECT_NE(judged(" --count 12 --labels in-turn --cfg-scale 2 --weights raw")["latent_frechet"],
            figures["latent_frechet"]);
}

TEST_F(EvaluateRunCli, AReferenceOfLatentsIsMadeOnce) {
  const std::string file = path_ + "/latents.h5";
  const Outcome made = run("evaluate reference " + data_ + " --out " + file);
  ASSERT_EQ(made.status, 0);
  EXPECT_EQ(made.output, file + ": 32 samples, features of 32 kept\n");
  auto anew = judged(" --count 12"), stored = judged(" --count 12 --reference " + file);
  EXPECT_EQ(stored["reference"]["source"], file);
  for (auto* figures : {&anew, &stored}) (*figures)["reference"].erase("source");
  EXPECT_EQ(anew, stored);  // to the last bit

  write_tiny_set(path_ + "/others", 16);
  ASSERT_EQ(
      run("evaluate reference " + path_ + "/others --samples 8 --out " + path_ + "/few.h5").output,
      path_ + "/few.h5: 8 samples, features of 8 kept\n");
}

TEST_F(EvaluateRunCli, PicturesAreJudgedWithoutFilesOfThem) {
  const std::string network = inception();
  const std::string made = " --steps 2 --batch 4 --threads 1";
  ASSERT_EQ(run("sample " + run_ + " --images 6 --npz " + path_ + "/samples.npz" + made).status, 0);
  ASSERT_EQ(
      run("sample " + run_ + " --images 9 --seed 5 --npz " + path_ + "/ref.npz" + made).status, 0);
  ASSERT_EQ(run("evaluate reference " + path_ + "/ref.npz --out " + path_ + "/ref.h5" + network +
                " --threads 1")
                .status,
            0);
  const auto against = [&](const char* reference) {
    return network + " --reference " + path_ + reference + " --json --threads 1";
  };
  const std::string judge = against("/ref.h5");
  const Outcome files = run("evaluate " + path_ + "/samples.npz" + against("/ref.npz"));
  ASSERT_EQ(files.status, 0);
  const std::string samples =
      "evaluate " + run_ + " --count 6 --labels in-turn --steps 2 --batch 4";
  const Outcome alone = run(samples + judge);
  ASSERT_EQ(alone.status, 0) << alone.output;
  auto expected = parse_json(files.output, "figures"), found = parse_json(alone.output, "figures");
  EXPECT_THAT(found["samples"]["decoder"].get<std::string>(), HasSubstr("linear"));
  for (const char* figure : {"fid", "sfid", "inception_score", "precision", "recall", "network"}) {
    EXPECT_EQ(found[figure], expected[figure]) << figure;
  }
  const Outcome shared = mpirun("-np 2 " + edt_program() + " " + samples + judge);
  EXPECT_EQ(shared.output, alone.output);
}

TEST_F(EvaluateRunCli, WhatCannotBeJudgedIsRefused) {
  const std::string judge = "evaluate " + run_;
  EXPECT_THAT(refusal(judge), HasSubstr("--count is 0: how many samples of"));
  EXPECT_THAT(refusal(judge + " --count 1"), HasSubstr("2 or more can be judged"));
  EXPECT_THAT(refusal(judge + " --count 4 --resize clean"),
              HasSubstr("--resize is for pictures, and without --inception latents are judged"));
  EXPECT_THAT(refusal(judge + " --count 4 --vae sd"), HasSubstr("--vae is for pictures"));
  EXPECT_THAT(refusal(judge + " --count 4 --inception w --reference " + data_),
              HasSubstr("is a data set of latents: pictures are judged against pictures"));
  EXPECT_THAT(refusal(judge + " --count 4 --inception w"), HasSubstr("--reference is not given"));
  const std::string seeing = judge + " --count 4 --inception w --reference " + path_ + "/ref.h5";
  EXPECT_THAT(refusal(seeing + " --vae-scale 2"), HasSubstr("--vae-scale is given without --vae"));
  EXPECT_THAT(refusal(seeing + " --vae ''"), HasSubstr("--vae names no file"));
  EXPECT_THAT(refusal(judge + " --count 4 --reference " + path_ + "/none"),
              HasSubstr("there is no such data set"));
  write_text(path_ + "/notes.txt", "");
  EXPECT_THAT(refusal(judge + " --count 4 --reference " + path_ + "/notes.txt"),
              HasSubstr("is neither a data set nor what edt evaluate reference made of one"));
  EXPECT_THAT(refusal("evaluate " + path_ + "/notes.txt --steps 5"),
              HasSubstr("--steps is for samples of a run, and " + path_ + "/notes.txt is none"));
  EXPECT_THAT(refusal("evaluate " + run_ + " " + run_ + "/checkpoints --steps 2"),
              HasSubstr(run_ + " is a run: its samples are judged alone, and 2 are given"));
  EXPECT_THAT(refusal("evaluate " + path_ + "/notes.txt"), HasSubstr("--inception is not given"));
  EXPECT_THAT(refusal("evaluate reference " + data_ + " --resize clean --out " + path_ + "/r.h5"),
              HasSubstr("--resize is for pictures, and this is a data set of latents"));
  EXPECT_THAT(
      refusal("evaluate reference " + path_ + "/notes.txt --normalize --out " + path_ + "/r.h5"),
      HasSubstr("--normalize is for data sets of latents, and these are pictures"));
  // Of other latents: as many, but not the same.
  const std::string adm = in_sources("tests/golden/evaluation/reference_adm.npz");
  EXPECT_THAT(
      refusal(judge + " --count 4 --reference " + adm),
      HasSubstr("reference_adm.npz has Inception's features, the samples would have features of "
                "latents: --inception judges their pictures"));
  ASSERT_EQ(run("data synth --image-size 128 --samples 4 --out " + path_ + "/wide").status, 0);
  EXPECT_THAT(
      refusal(judge + " --count 4 --reference " + path_ + "/wide"),
      HasSubstr("wide has 1024 latents of 4 x 16 x 16, the samples have 256 latents of 4 x 8 "
                "x 8"));
  ASSERT_EQ(run("evaluate reference " + path_ + "/wide --out " + path_ + "/wide.h5").status, 0);
  EXPECT_THAT(refusal(judge + " --count 4 --reference " + path_ + "/wide.h5"),
              HasSubstr("wide.h5 has 1024 latents of 4 x 16 x 16"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/r.h5"));
}

// Weights beyond all measure make latents that are none: no figure of what is left.
TEST_F(EvaluateRunCli, SamplesThatAreNotFiniteAreNotJudged) {
  const std::string broken = path_ + "/broken";
  ASSERT_EQ(run("train --quiet " + tiny_training(data_, broken) +
                "--steps 1 --optimizer.lr 1e25 --optimizer.ema-decay 0")
                .status,
            0);
  const std::string wild = "evaluate --quiet " + broken + " --steps 3 --count 5";
  EXPECT_THAT(refusal(wild, 1), HasSubstr("latents of 5 of 5 samples are not finite"));
  EXPECT_EQ(run(wild + " --json").output, "");
}

// Judged in training by their pictures: the figures are those of edt evaluate for the same samples,
// on any number of ranks; checkpoints, TensorBoard and edt watch have them.
TEST_F(EvaluateRunCli, TrainingIsJudgedByFid) {
  const std::string network = inception();
  ASSERT_EQ(
      run("sample " + run_ + " --images 9 --seed 5 --steps 2 --npz " + path_ + "/ref.npz").status,
      0);
  ASSERT_EQ(
      run("evaluate reference " + path_ + "/ref.npz --out " + path_ + "/ref.h5" + network).status,
      0);
  const std::string judged = path_ + "/judged";
  const auto training = [&](const std::string& where) {
    return "train " + tiny_training(data_, where) +
           " --steps 4 --run.threads 1 --run.checkpoint-every 2 --run.keep-best-by evaluation"
           " --run.evaluate-every 2 --run.evaluate-samples 6 --run.evaluate-steps 2"
           " --run.evaluate-inception " +
           path_ + "/inception.safetensors --run.evaluate-reference " + path_ + "/ref.h5";
  };
  ASSERT_EQ(run(training(judged)).status, 0) << run(training(judged), "2>&1").output;
  const auto lines = metrics_of(judged);
  ASSERT_EQ(lines.size(), 4u);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].contains("fid"), i % 2 == 1) << i;
    EXPECT_FALSE(lines[i].contains("latent_frechet"));
  }
  EXPECT_NE(lines[1]["fid"], lines[3]["fid"]);
  EXPECT_GT(lines[3]["time_share"]["evaluation"].get<double>(), 0.5);  // of so short a step

  const Outcome outcome = run("evaluate " + judged +
                              " --count 6 --batch 6 --steps 2 --sampler ddim --threads 1 --seed 0"
                              " --json --reference " +
                              path_ + "/ref.h5" + network);
  ASSERT_EQ(outcome.status, 0);
  const auto figures = parse_json(outcome.output, "figures");
  for (const char* name : {"fid", "sfid", "inception_score"}) {
    EXPECT_EQ(lines[3][name], figures[name]["value"]) << name;
  }
  for (const char* name : {"precision", "recall", "density", "coverage"}) {
    EXPECT_EQ(lines[3][name], figures[name]) << name;
  }

  const std::string log = read_text(judged + "/logs/rank-00000.log");
  EXPECT_THAT(log, AllOf(HasSubstr("step 4: fid "), HasSubstr("of 6 samples in "),
                         HasSubstr("evaluation has taken ")));
  const auto manifest = read_text(judged + "/checkpoints/step-000004/manifest.json");
  EXPECT_THAT(manifest, HasSubstr("\"fid\""));
  std::string events;
  for (const auto& file : std::filesystem::recursive_directory_iterator(judged)) {
    if (file.path().string().find("tfevents") != std::string::npos)
      events += read_text(file.path());
  }
  EXPECT_THAT(events, HasSubstr("samples/fid"));
  const auto watched = parse_json(run("watch --json " + judged).output, "watched")["runs"][0];
  EXPECT_EQ(watched["judged"]["fid"]["step"], 4);
  EXPECT_EQ(watched["judged"]["fid"]["value"], lines[3]["fid"]);

  ASSERT_EQ(mpirun("-np 2 " + edt_program() + " " + training(path_ + "/two")).status, 0);
  EXPECT_EQ(metrics_of(path_ + "/two")[3]["fid"], lines[3]["fid"]);
}

}  // namespace
}  // namespace edt::test
