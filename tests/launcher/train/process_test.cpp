// Whole runs on other processes than the published one: trained, gone on with, sampled by every
// solver, exported and imported.
#include <fmt/ranges.h>
#include <gmock/gmock-more-matchers.h>

#include <nlohmann/json.hpp>

#include "core/storage/hdf5.h"
#include "core/storage/safetensors.h"
#include "model/diffusion/solvers/solver.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ProcessOptions process_of(const std::string& name) {
  ProcessOptions options{.config = ProcessConfig::flow(), .declared = true};
  if (name == "cosine") options.config.path = FlowPath::kCosine;
  if (name == "noise") options.config.prediction = PredictionType::kNoise;
  if (name == "x0") options.config = {.prediction = PredictionType::kOrigin};
  if (name == "v") options.config = {.prediction = PredictionType::kVelocity};
  if (name == "ddpm") options.config = {};
  if (name == "plain") options.config = {.learnt_variance = false};
  return options;
}

constexpr const char* kProcesses[] = {"ddpm", "plain", "x0", "v", "flow", "cosine", "noise"};

class Processes : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TempDir;
    write_tiny_data(*directory_ / "set");
    for (const char* name : kProcesses) run(config(name, 6));
  }
  static void TearDownTestSuite() { delete directory_; }

  static TrainConfig config(const std::string& name, std::int64_t steps,
                            const std::string& run = "") {
    TrainConfig config = tiny_config(*directory_ / "set", *directory_ / (run + name));
    config.model.process = process_of(name);
    config.train.steps = steps;
    config.optimizer.rate.initial = 0.05;  // far enough from the zero output of a fresh model
    return config;
  }
  static std::string path(const std::string& name) { return (*directory_ / name).string(); }

  Outcome sample(const std::string& run, std::vector<std::string> more) {
    std::vector<std::string> args{"sample", path(run),   "--classes",    "0,3",     "--steps",
                                  "4",      "--latents", path("out.h5"), "--quiet", "on"};
    args.insert(args.end(), more.begin(), more.end());
    return edt_command(args);
  }
  std::vector<float> latents(const std::string& run, const std::vector<std::string>& more) {
    const Outcome outcome = sample(run, more);
    EXPECT_EQ(outcome.status, kDone) << run << ": " << outcome.error;
    return h5::File::open(path("out.h5")).dataset("latents").read_all<float>(h5::Type::kFloat32);
  }

  static inline TempDir* directory_ = nullptr;
};

bool are_numbers(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
}

TEST_F(Processes, EachIsSampledByEachSolverThatFits) {
  for (const char* name : kProcesses) {
    const bool is_ddpm = process_of(name).config.discrete();
    for (const auto& [solver, kind] : solver_kinds()) {
      const std::vector<std::string> args{"--sampler", solver};
      if (kind == SolverKind::kDdpm && !is_ddpm) {
        const Outcome refused = sample(name, args);
        EXPECT_EQ(refused.status, kWrongUsage);
        EXPECT_THAT(refused.error,
                    AllOf(HasSubstr("sampler is ddpm"), HasSubstr("process.kind is flow")));
        continue;
      }
      EXPECT_TRUE(are_numbers(latents(name, args))) << name << " " << solver;
    }
  }
}

TEST_F(Processes, TheDefaultSamplerIsThatOfTheProcess) {
  EXPECT_EQ(latents("ddpm", {}), latents("ddpm", {"--sampler", "ddpm"}));
  EXPECT_EQ(latents("flow", {}), latents("flow", {"--sampler", "euler"}));
}

// Every choice depends on the step alone, so neighbours change nothing: also where steps are left
// out of the guidance and rows are fewer. Matrix products of another height may add in another
// order: float32 rounding.
TEST_F(Processes, APictureDoesNotDependOnItsBatch) {
  for (const char* solver : {"euler", "heun", "sde-euler", "sde-heun", "dpm++"}) {
    const std::vector<std::string> args{"--sampler", solver, "--guidance-interval", "0.2,0.8"};
    auto alone = args;
    alone.insert(alone.end(), {"--batch", "1"});
    const auto whole = latents("flow", args), parts = latents("flow", alone);
    ASSERT_EQ(whole.size(), parts.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      ASSERT_NEAR(parts[i], whole[i], 1e-4 + 1e-5 * std::abs(whole[i])) << solver;
    }
  }
}

TEST_F(Processes, AnIntervalWithoutStepsIsNoGuidance) {
  const auto none = latents("flow", {"--cfg-scale", "1"});
  EXPECT_EQ(latents("flow", {"--guidance-interval", "0.9,0.95"}), none);  // t is 1, 3/4, 1/2, 1/4
  const auto whole = latents("flow", {});
  EXPECT_EQ(latents("flow", {"--guidance-interval", "0,1"}), whole);
  EXPECT_NE(whole, none);
  EXPECT_NE(latents("flow", {"--guidance-interval", "0.5,1"}), whole);
  EXPECT_NE(latents("flow", {"--guided-channels", "1"}), whole);
  EXPECT_EQ(latents("flow", {"--guided-channels", "3"}), whole);
}

// Given as files, the draws of a seed make the samples of that seed.
TEST_F(Processes, NoiseIsTakenFromFiles) {
  const h5::Shape pictures{2, 4, 16, 16};
  std::vector<float> initial(2 * 4 * 16 * 16), steps(4 * initial.size());
  fill_initial_noise(8, 0, view_of(std::span(initial), {2, 4, 16, 16}));
  for (int step = 0; step < 4; ++step) {
    keyed_step_noise(8, 0)(
        step, view_of(std::span(steps).subspan(static_cast<std::size_t>(step) * initial.size(),
                                               initial.size()),
                      {2, 4, 16, 16}));
  }
  {
    h5::File file = h5::File::create(path("noise.h5"));
    file.create_dataset("z", h5::Type::kFloat32, pictures)
        .write(h5::Type::kFloat32, initial.data());
    file.create_dataset("step_noise", h5::Type::kFloat32, {4, 2, 4, 16, 16})
        .write(h5::Type::kFloat32, steps.data());
  }
  for (const auto& [solver, kind] : solver_kinds()) {
    const std::string run = kind == SolverKind::kDdpm ? "ddpm" : "flow";
    std::vector<std::string> args{"--sampler", solver, "--init-noise", path("noise.h5")};
    const bool is_noisy =
        kind == SolverKind::kDdpm || kind == SolverKind::kSdeEuler || kind == SolverKind::kSdeHeun;
    auto with_steps = args;
    with_steps.insert(with_steps.end(), {"--step-noise", path("noise.h5")});
    const auto seeded = latents(run, {"--sampler", solver, "--seed", "8"});
    if (is_noisy) {
      EXPECT_EQ(latents(run, with_steps), seeded) << solver;
    } else {
      EXPECT_EQ(latents(run, args), seeded) << solver;
      EXPECT_THAT(sample(run, with_steps).error,
                  HasSubstr(fmt::format("and the sampler, {}, adds none", solver)));
    }
  }
}

TEST_F(Processes, CachesSpareStepsAndSayWhatTheyDid) {
  for (const char* run : {"ddpm", "flow"}) {
    const auto without = latents(run, {});
    for (const char* kind : {"fora", "taylor"}) {
      EXPECT_EQ(latents(run, {"--cache", kind, "--cache-interval", "1"}), without);
      EXPECT_FALSE(h5::File::open(path("out.h5")).has_attribute("cache"));
      EXPECT_NE(latents(run, {"--cache", kind, "--cache-interval", "2"}), without);
    }
    for (const char* solver : {"heun", "sde-heun", "dpm++"}) {
      EXPECT_TRUE(are_numbers(latents(run, {"--sampler", solver, "--cache", "taylor"}))) << solver;
    }
  }
  // Steps 4, 3, 2, 1 from the last: the first, the last and the third are computed.
  const Outcome outcome = sample("flow", {"--cache", "fora", "--cache-interval", "2", "--json"});
  const auto json = nlohmann::json::parse(outcome.out).at("cache");
  EXPECT_EQ(json.at("steps"), 4);
  EXPECT_EQ(json.at("whole_steps"), 3);
  EXPECT_LT(json.at("gmac_per_picture"), json.at("gmac_per_picture_without"));
  EXPECT_GT(json.at("gmac_per_picture").get<double>(),
            0.75 * json.at("gmac_per_picture_without").get<double>());
  EXPECT_GT(json.at("bytes"), 0);
  (void)latents("flow", {"--cache", "taylor", "--cache-interval", "2", "--cache-parts", "mlp"});
  const h5::File file = h5::File::open(path("out.h5"));
  EXPECT_EQ(file.read_string("cache"), "taylor");
  EXPECT_EQ(file.read_int("cache_interval"), 2);
  EXPECT_EQ(file.read_int("cache_order"), 1);
  EXPECT_EQ(file.read_int("cache_warmup"), 2);
  EXPECT_EQ(file.read_string("cache_parts"), "mlp\n");
}

TEST_F(Processes, CachesThatDoNotFitAreRefused) {
  const auto refusal = [&](const std::vector<std::string>& args) {
    const Outcome outcome = sample("flow", args);
    EXPECT_EQ(outcome.status, kWrongUsage);
    EXPECT_EQ(std::ranges::count(outcome.error, '\n'), 1) << outcome.error;
    return outcome.error;
  };
  EXPECT_THAT(refusal({"--cache-interval", "2"}),
              AllOf(HasSubstr("cache-interval"), HasSubstr("it is none")));
  EXPECT_THAT(refusal({"--cache", "fora", "--cache-order", "2"}),
              AllOf(HasSubstr("cache-order"), HasSubstr("it is fora")));
  EXPECT_THAT(refusal({"--cache", "fora", "--cache-lite", "--cache-parts", "mlp"}),
              AllOf(HasSubstr("cache-parts"), HasSubstr("it is on")));
  EXPECT_THAT(refusal({"--cache", "fora", "--cache-interval", "0"}), HasSubstr("cache-interval"));
  EXPECT_THAT(refusal({"--cache", "fora", "--cache-parts", "norm"}), HasSubstr("attention"));
}

// Of each option of a solver: where it has an effect.
struct Fit {
  std::vector<std::string> option;
  std::vector<std::string> samplers;  // with which it is taken
  const char* process;                // of which alone; "": any
};

TEST_F(Processes, OptionsOfSamplersAreRefusedWhereTheyHaveNoEffect) {
  const std::vector<std::string> noisy{"sde-euler", "sde-heun"};
  const std::vector<std::string> all{"ddpm",      "ddim",     "euler", "heun",
                                     "sde-euler", "sde-heun", "dpm++"};
  int refused = 0, taken = 0;
  for (const Fit& fit : std::vector<Fit>{{{"--eta", "0.5"}, {"ddim"}, "ddpm"},
                                         {{"--spacing", "5"}, all, "ddpm"},
                                         {{"--clip-denoised", "on"}, {"ddpm", "ddim", "dpm++"}, ""},
                                         {{"--diffusion", "linear"}, noisy, ""},
                                         {{"--last-step", "euler"}, noisy, ""},
                                         {{"--last-step-size", "0.1"}, noisy, "flow"},
                                         {{"--shift", "2"}, all, "flow"}}) {
    for (const std::string run : {"ddpm", "flow"}) {
      for (const std::string& sampler : all) {
        if (sampler == "ddpm" && run == "flow") continue;
        const bool fits = std::ranges::find(fit.samplers, sampler) != fit.samplers.end() &&
                          (*fit.process == '\0' || run == fit.process);
        std::vector<std::string> args{"sample", path(run),   "--classes",    "0",       "--sampler",
                                      sampler,  "--latents", path("out.h5"), "--quiet", "on"};
        if (fit.option[0] != "--spacing") args.insert(args.end(), {"--steps", "2"});
        args.insert(args.end(), fit.option.begin(), fit.option.end());
        const Outcome outcome = edt_command(args);
        EXPECT_EQ(outcome.status, fits ? kDone : kWrongUsage)
            << run << " " << sampler << " " << fit.option[0] << ": " << outcome.error;
        if (!fits) {
          EXPECT_THAT(outcome.error, HasSubstr(fit.option[0].substr(2)));
          EXPECT_EQ(std::ranges::count(outcome.error, '\n'), 1) << outcome.error;
        }
        ++(fits ? taken : refused);
      }
    }
  }
  EXPECT_GT(refused, 40);
  EXPECT_GT(taken, 20);
}

TEST_F(Processes, FilesOfSamplesSayWhatMadeThem) {
  (void)latents("flow",
                {"--sampler", "sde-heun", "--shift", "2", "--guidance-interval", "0.1,0.9"});
  const h5::File file = h5::File::open(path("out.h5"));
  EXPECT_EQ(file.read_string("process"), "flow");
  EXPECT_EQ(file.read_string("sampler"), "sde-heun");
  EXPECT_EQ(file.read_string("diffusion"), "sigma");
  EXPECT_EQ(file.read_string("last_step"), "mean");
  EXPECT_EQ(file.read_double("last_step_size"), 0.04);
  EXPECT_EQ(file.read_double("time_shift"), 2);
  EXPECT_THAT(file.read_doubles("guidance_interval"), testing::ElementsAre(0.1, 0.9));
  EXPECT_EQ(file.read_doubles("timesteps").size(), 4u);
  EXPECT_EQ(file.read_doubles("timesteps").back(), 1);
}

// Interrupted and gone on with, a run of a flow ends in the bits of one that went through.
TEST_F(Processes, ARunOfAFlowGoesOn) {
  run(config("flow", 3, "cut-"));
  run(config("flow", 6, "cut-"));
  EXPECT_EQ(contents(path("cut-flow")), contents(path("flow")));
}

TEST_F(Processes, AnotherProcessIsRefusedForARun) {
  TrainConfig other = config("flow", 8);
  other.model.process = process_of("cosine");
  EXPECT_THAT(message_of<CheckpointError>([&] { run(other); }),
              HasSubstr("process.path linear -> cosine"));
  other.model.process = process_of("ddpm");
  EXPECT_THAT(message_of<Error>([&] { run(other); }), HasSubstr("final_layer.linear"));
}

// Published SiT weights have a second half of outputs that nothing has trained.
TEST_F(Processes, WeightsWithOutputsOfAVarianceLoseThem) {
  ASSERT_EQ(edt_command({"ckpt", "export", path("ddpm"), path("w.safetensors")}).status, kDone);
  const std::vector<std::string> import{"ckpt",
                                        "import",
                                        path("w.safetensors"),
                                        path("halved"),
                                        "--model=EDT-Ti/2",
                                        "--model.image-size=128",
                                        "--model.widths=8,12,16,12,8",
                                        "--model.heads=2,3,4,3,2",
                                        "--process.kind=flow"};
  const Outcome outcome = edt_command(import);
  ASSERT_EQ(outcome.status, kDone) << outcome.error;
  const auto whole = contents(path("ddpm")), halved = contents(path("halved"));
  for (const char* name : {"final_layer.linear.weight", "final_layer.linear.bias"}) {
    const auto& all = whole.at(std::string("ema:") + name);
    const auto& half = halved.at(std::string("master:") + name);
    ASSERT_EQ(2 * half.size(), all.size());
    const std::size_t width = half.size() / 16;  // of an output: 2 x 2 pixels, 4 channels
    for (std::size_t row = 0; row < 16; ++row) {
      for (std::size_t i = 0; i < width; ++i) {
        const std::size_t from = row / 4 * 8 + row % 4;
        ASSERT_EQ(half[row * width + i], all[from * width + i]) << name;
      }
    }
  }
  EXPECT_EQ(sample("halved", {}).status, kDone);
}

TEST_F(Processes, SamplesOfAFlowHaveNoNamesOfDiffusers) {
  TrainConfig sit = tiny_config(*directory_ / "set", *directory_ / "sit", "DiT");
  sit.model.process = process_of("flow");
  run(sit);
  const Outcome outcome =
      edt_command({"ckpt", "export", path("sit"), path("d.safetensors"), "--names", "diffusers"});
  EXPECT_EQ(outcome.status, kWrongUsage);
  EXPECT_THAT(outcome.error, HasSubstr("predicts noise and variance; the model is DiT-S/2"));
}

// Metrics have each term under its name, not weighted.
TEST_F(Processes, MetricsNameTheTerms) {
  TrainConfig direction = config("flow", 2, "direction-");
  direction.train.loss.direction_weight = 0.5;
  direction.train.masked = false;
  direction.train.times = {.sampling = TimeSampling::kUniform};
  run(direction);
  const std::string line = read_text(path("direction-flow/metrics.jsonl"));
  const auto json = nlohmann::json::parse(line.substr(0, line.find('\n')));
  EXPECT_FALSE(json.contains("vb"));
  EXPECT_NEAR(json["loss"].get<double>(),
              json["mse"].get<double>() + 0.5 * json["direction"].get<double>(), 1e-6);
}

}  // namespace
}  // namespace edt::test
