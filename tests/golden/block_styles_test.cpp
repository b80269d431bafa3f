// DiT with blocks of other styles against values of LightningDiT's published code in float32: the
// network's output, and the gradient of every parameter behind LightningDiT's loss. The loss and
// its gradient by the output are computed here, in double, from the formulas: what is under test is
// the network alone. Files are found by their attribute `model`; one may hold several models, each
// in a group with switches of its own.
//
// Tolerances, relative to the largest magnitude of each tensor: 1e-5 and 1e-4 as for the other
// models (models_test.cpp). bf16 keeps 8 bits of every activation and weight.
#include <gtest/gtest.h>

#include <cmath>
#include <mutex>
#include <optional>

#include "core/cuda/cuda_backend.h"
#include "model/dit/dit_model.h"
#include "model/sampling/picture_sampler.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_model.h"

namespace edt::test::block_styles {
namespace {

struct Variant {
  std::string file, group;  // "" or "/qknorm"
};

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const std::string& name : golden_models("lightningdit")) {
    const GoldenFile file(name);
    if (file.has("/params")) all.push_back({name, ""});
    for (const std::string& group : file.names("/")) {
      if (group != "params" && file.has("/" + group + "/params"))
        all.push_back({name, "/" + group});
    }
  }
  return all;
}

DitConfig config_of(const GoldenFile& file, const std::string& group) {
  const std::string object = group.empty() ? "/" : group;
  const auto number = [&](const char* name) {
    return static_cast<std::int64_t>(file.number("/", name));
  };
  const auto is_on = [&](const char* name) {
    return file.has_attribute(object, name) && file.number(object, name) != 0;
  };
  DitConfig config;
  config.name = "golden";
  config.latents = LatentShape::square(number("input_size"));
  config.latents.channels = number("in_channels");
  config.patch = number("patch_size");
  config.classes = number("num_classes");
  config.mlp_ratio = number("mlp_ratio");
  config.depth = number("depth");
  config.width = number("hidden_size");
  config.heads = number("num_heads");
  config.process = ProcessConfig::flow();
  BlockStyle& style = config.style;
  style.norm = is_on("use_rmsnorm") ? NormForm::kRms : NormForm::kLayer;
  style.mlp = is_on("use_swiglu") ? MlpForm::kSwiglu : MlpForm::kGelu;
  if (is_on("use_qknorm"))
    style.head_norm = is_on("use_rmsnorm") ? HeadNorm::kRms : HeadNorm::kLayer;
  style.positions = is_on("use_rope") ? Positions::kBoth : Positions::kTable;
  style.shifts = !is_on("wo_shift");
  return config;
}

// [B, C, S, S] by (sample, channel, place).
struct Pictures {
  std::int64_t batch, channels, places;
  std::int64_t at(std::int64_t b, std::int64_t c, std::int64_t place) const {
    return (b * channels + c) * places + place;
  }
};

struct Loss {
  double total = 0;
  std::vector<float> mse, cosine, gradient;  // the last by the network's output
};

// mean over samples of mse + mean over places of (1 - cosine over channels), norms of at least
// 1e-8, against `target`.
Loss loss_of(const Pictures& shape, const std::vector<float>& out,
             const std::vector<float>& target) {
  Loss loss;
  loss.gradient.resize(out.size());
  const auto samples = static_cast<double>(shape.batch), places = static_cast<double>(shape.places);
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    double mse = 0, cosine = 0;
    for (std::int64_t place = 0; place < shape.places; ++place) {
      double dot = 0, vv = 0, uu = 0;
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        const double v = out[shape.at(b, c, place)], u = target[shape.at(b, c, place)];
        dot += v * u, vv += v * v, uu += u * u;
        mse += (v - u) * (v - u) / (places * static_cast<double>(shape.channels));
      }
      const double v_norm = std::max(std::sqrt(vv), 1e-8), u_norm = std::max(std::sqrt(uu), 1e-8);
      cosine += (1 - dot / (v_norm * u_norm)) / places;
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        const double v = out[shape.at(b, c, place)], u = target[shape.at(b, c, place)];
        const double of_cosine = u / (v_norm * u_norm) - dot / (v_norm * u_norm) * v / vv;
        loss.gradient[shape.at(b, c, place)] = static_cast<float>(
            (2 * (v - u) / static_cast<double>(shape.channels) - of_cosine) / (places * samples));
      }
    }
    loss.mse.push_back(static_cast<float>(mse));
    loss.cosine.push_back(static_cast<float>(cosine));
    loss.total += (mse + cosine) / samples;
  }
  return loss;
}

// Images as tokens [B, rows * columns, p * p * C] in (row, column, channel) order, what a network
// gives.
std::vector<float> tokens_of(const std::vector<float>& images, const Pictures& shape,
                             std::int64_t side, std::int64_t patch) {
  std::vector<float> tokens;
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    for (std::int64_t y = 0; y < side; y += patch) {
      for (std::int64_t x = 0; x < side; x += patch) {
        for (std::int64_t i = 0; i < patch * patch; ++i) {
          const std::int64_t place = (y + i / patch) * side + x + i % patch;
          for (std::int64_t c = 0; c < shape.channels; ++c) {
            tokens.push_back(images[shape.at(b, c, place)]);
          }
        }
      }
    }
  }
  return tokens;
}

struct Step {
  std::vector<float> output;
  Loss loss;
  std::vector<std::vector<float>> gradients;
  std::vector<TensorShard> shards;
};

// Inputs and expected values of a variant, read once.
class StyleCase {
 public:
  explicit StyleCase(const Variant& variant)
      : file_(variant.file),
        group_(variant.group),
        config_(config_of(file_, group_)),
        shape_{file_.shape("/inputs/x_start")[0], config_.latents.channels,
               config_.latents.height * config_.latents.width},
        t_(file_.read<float>("/inputs/t")),
        labels_(file_.read<std::int64_t>("/inputs/labels_after_drop")) {
    const auto x = file_.read<float>("/inputs/x_start"), noise = file_.read<float>("/inputs/noise");
    const std::int64_t sample = shape_.channels * shape_.places;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float t = t_[i / static_cast<std::size_t>(sample)];
      x_t_.push_back(t * x[i] + (1 - t) * noise[i]);
      target_.push_back(x[i] - noise[i]);
    }
  }

  const GoldenFile& file() const { return file_; }
  const DitConfig& config() const { return config_; }
  std::string expected(const std::string& name) const { return group_ + "/expected/" + name; }
  // Of a whole parameter.
  std::vector<float> gradient(const Parameter& parameter) const {
    return golden_parameter(file_, group_ + "/grads/" + parameter.name, parameter.shape,
                            shape_.channels);
  }
  std::size_t gradients() const { return file_.names(group_ + "/grads").size(); }

  // A model with the file's parameters.
  std::unique_ptr<GoldenModel> model(Backend& backend, DType dtype, TensorGroup ranks = {}) const {
    return std::make_unique<GoldenModel>(file_, config_, backend, dtype, ranks,
                                         group_ + "/params/");
  }

  Step run(GoldenModel& golden) const {
    Tape& tape = golden.tape();
    Backend& backend = golden.backend();
    const std::int64_t side = config_.latents.height;
    const DType accurate = tape.accurate_dtype();
    const Tensor image = golden.tensor(x_t_, {shape_.batch, shape_.channels, side, side}, accurate);
    const Tensor out = golden.tensor(std::vector<float>(x_t_.size()), image.shape, accurate);
    Step step;
    {
      const Var tokens =
          golden.model().forward(tape, {image, golden.tensor(t_, {shape_.batch}, accurate),
                                        golden.integers(labels_, {shape_.batch})});
      backend.unpatchify(tokens.tensor(), config_.patch, out);
      step.output = golden.host(out);
      step.loss = loss_of(shape_, step.output, target_);
      backend.upload_floats(tokens_of(step.loss.gradient, shape_, side, config_.patch),
                            tape.target(tokens.grad()).tensor);
      tape.backward();
    }
    tape.clear();
    for (const Parameter& parameter : golden.model().parameters().all()) {
      step.gradients.push_back(golden.host(parameter.grad));
    }
    step.shards = golden.model().parameters().shards();
    return step;
  }

 private:
  GoldenFile file_;
  std::string group_;
  DitConfig config_;
  Pictures shape_;
  std::vector<float> t_, x_t_, target_;
  std::vector<std::int64_t> labels_;
};

struct Case {
  Variant variant;
  const char* backend;
  DType dtype;
  double output_tolerance, gradient_tolerance;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.variant.file << c.variant.group << " on " << c.backend << " in " << name_of(c.dtype);
}

class BlockStyles : public testing::TestWithParam<Case> {};

TEST_P(BlockStyles, OutputsLossesAndAllGradients) {
  const auto backend = golden_backend(GetParam().backend);
  if (backend == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
  const StyleCase one(GetParam().variant);
  const GoldenFile& file = one.file();
  for (const Recompute recompute :
       {Recompute::kLeast, Recompute::kNone, Recompute::kSelective, Recompute::kFull}) {
    const auto golden = one.model(*backend, GetParam().dtype);
    golden->model().set_recompute(recompute);
    const Step step = one.run(*golden);
    const auto close = [&](const std::vector<float>& actual, const char* name) {
      EXPECT_LE(relative_error(actual, file.read<float>(one.expected(name))),
                GetParam().output_tolerance)
          << name;
    };
    close(step.output, "output_train");
    close(step.loss.mse, "mse");
    close(step.loss.cosine, "cos_loss");
    EXPECT_NEAR(step.loss.total / file.read<double>(one.expected("total_loss"))[0], 1,
                GetParam().output_tolerance);
    std::size_t i = 0;
    for (const Parameter& parameter : golden->model().parameters().all()) {
      EXPECT_LE(relative_error(step.gradients[i++], one.gradient(parameter)),
                GetParam().gradient_tolerance)
          << parameter.name;
    }
    EXPECT_EQ(i, one.gradients());
  }
}

class BlockStyleSamples : public testing::TestWithParam<Case> {};

// With guidance on some channels, in a part of the times, on shifted points: as LightningDiT
// samples. In the file t = 1 is data.
TEST_P(BlockStyleSamples, AreThoseOfEverySampler) {
  const StyleCase one(GetParam().variant);
  const GoldenFile& file = one.file();
  const auto backend = golden_backend(GetParam().backend);
  if (backend == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
  const auto golden = one.model(*backend, GetParam().dtype);
  PictureSampler sampler(golden->model(), *backend, GetParam().dtype);
  const double scale = file.number("/", "cfg_scale"),
               shift = 1 / file.number("/", "timestep_shift");
  const double high = 1 - file.number("/", "cfg_interval_start");
  const auto channels = static_cast<std::int64_t>(file.number("/", "guided_channels"));
  const auto step_noise = file.read<float>("/inputs/sample/sde_step_noise");
  const auto noisy_steps =
      static_cast<std::int64_t>(file.shape("/inputs/sample/sde_step_noise")[0]);
  const auto steps = file.shape("/expected/sample_ode_euler_path")[0] - 1;
  struct Way {
    const char* name;
    SolverKind kind;
    GuidanceConfig guidance;
    double shift;
  };
  const GuidanceConfig guided{.scale = scale, .channels = {channels}}, unguided{.scale = 1};
  GuidanceConfig interval = guided;
  interval.high = high;
  const auto labels = file.read<std::int64_t>("/inputs/sample/labels");
  for (const Way& way : {Way{"sample_ode_euler", SolverKind::kEuler, interval, shift},
                         Way{"sample_ode_euler_plain", SolverKind::kEuler, guided, 1},
                         Way{"sample_ode_euler_unguided", SolverKind::kEuler, unguided, 1},
                         Way{"sample_ode_heun2_unguided", SolverKind::kHeun, unguided, 1},
                         Way{"sample_sde_euler", SolverKind::kSdeEuler, guided, 1}}) {
    PictureRequest request;
    request.labels.assign(labels.begin(), labels.end());
    request.guidance = way.guidance;
    request.solver.kind = way.kind;
    request.solver.shift = way.shift;
    request.solver.spacing = std::to_string(steps);
    request.init_noise = file.read<float>("/inputs/sample/z");
    if (way.kind == SolverKind::kSdeEuler) {
      request.solver.spacing = std::to_string(noisy_steps + 1);  // the last adds none
      request.step_noise = step_noise;
      request.step_noise.resize(step_noise.size() + request.init_noise.size());
    }
    std::vector<float> latents(request.init_noise.size());
    request.batch = static_cast<std::int64_t>(labels.size());
    sampler.run(request, latents);
    EXPECT_LE(relative_error(latents, file.read<float>(std::string("/expected/") + way.name)),
              GetParam().dtype == DType::kFloat32 ? 3e-5 : 1e-1)
        << way.name;
  }
}

// Samplers are float32, the network may be bf16.
std::vector<Case> with_samples(std::vector<Case> all) {
  std::erase_if(all, [](const Case& one) {
    return one.dtype == DType::kFloat64 || !one.variant.group.empty() ||
           !GoldenFile(one.variant.file).has("/inputs/sample/z");
  });
  return all;
}

std::vector<Case> cuda_cases() {
  std::vector<Case> all;
  for (const Variant& variant : variants()) {
    all.push_back({variant, "cuda", DType::kFloat32, 1e-4, 3e-4});
    all.push_back({variant, "cuda", DType::kBFloat16, 3e-2, 1e-1});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Cuda, BlockStyles, testing::ValuesIn(cuda_cases()));
INSTANTIATE_TEST_SUITE_P(Cuda, BlockStyleSamples, testing::ValuesIn(with_samples(cuda_cases())));

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Variant& variant : variants()) {
    all.push_back({variant, "reference", DType::kFloat64, 1e-5, 1e-4});
    all.push_back({variant, "reference", DType::kFloat32, 1e-5, 1e-4});
    all.push_back({variant, "cpu", DType::kFloat32, 1e-5, 1e-4});
    all.push_back({variant, "cpu", DType::kBFloat16, 3e-2, 1e-1});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, BlockStyles, testing::ValuesIn(cases()));
INSTANTIATE_TEST_SUITE_P(Models, BlockStyleSamples, testing::ValuesIn(with_samples(cases())));

struct CutCase {
  Variant variant;
  int ranks;
  const char* backend;
};

void PrintTo(const CutCase& c, std::ostream* out) {
  *out << c.variant.file << c.variant.group << " over " << c.ranks << " ranks on " << c.backend;
}

class BlockStylesOverRanks : public testing::TestWithParam<CutCase> {};

// Sums over ranks change the order of summation only. What all ranks hold has the same bits.
TEST_P(BlockStylesOverRanks, OutputsAndAllGradients) {
  const StyleCase one(GetParam().variant);
  std::vector<Step> steps(static_cast<std::size_t>(GetParam().ranks));
  std::mutex hdf5;  // is not thread-safe
  run_ranks(GetParam().ranks, [&](Communicator& ranks) {
    const auto backend = golden_backend(GetParam().backend);
    const auto part = [&] {
      const std::lock_guard lock(hdf5);
      return one.model(*backend, DType::kFloat32, TensorGroup{&ranks});
    }();
    steps[static_cast<std::size_t>(ranks.rank())] = one.run(*part);
  });
  const auto backend = golden_backend("reference");
  const DitModel whole(one.config(), *backend, DType::kFloat32);
  std::size_t i = 0;
  for (const Parameter& parameter : whole.parameters().all()) {
    std::vector<float> gradient(static_cast<std::size_t>(parameter.shape.elements()));
    for (const Step& step : steps) {
      step.shards[i].put(step.gradients[i], gradient);
      if (!step.shards[i].whole()) continue;
      EXPECT_EQ(step.gradients[i], steps[0].gradients[i]);
    }
    EXPECT_LE(relative_error(gradient, one.gradient(parameter)), 1.5e-4) << parameter.name;
    ++i;
  }
  for (const Step& step : steps) {
    EXPECT_LE(relative_error(step.output, one.file().read<float>(one.expected("output_train"))),
              1e-5);
    EXPECT_EQ(step.output, steps[0].output);
  }
}

std::vector<CutCase> cut_cases() {
  std::vector<CutCase> all;
  for (const Variant& variant : variants()) {
    for (const int degree : config_of(GoldenFile(variant.file), variant.group).tensor_degrees()) {
      if (degree == 1) continue;
      for (const char* backend : {"reference", "cpu"}) all.push_back({variant, degree, backend});
    }
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, BlockStylesOverRanks, testing::ValuesIn(cut_cases()));

// The published tables have each angle at both elements of its pair.
TEST(RotaryPositions, ArePublished) {
  for (const Variant& variant : variants()) {
    const GoldenFile file(variant.file);
    if (!file.has("/tables/feat_rope_cos")) continue;
    const auto backend = golden_backend("reference");
    const DitModel model(config_of(file, variant.group), *backend, DType::kFloat32);
    int compared = 0;
    for (const FixedTable& table : model.fixed_tables()) {
      const bool is_cosine = table.name == "feat_rope.freqs_cos";
      if (!is_cosine && table.name != "feat_rope.freqs_sin") continue;
      const auto published =
          file.read<float>(is_cosine ? "/tables/feat_rope_cos" : "/tables/feat_rope_sin");
      EXPECT_LE(relative_error(table.values, published), 1e-6) << table.name;
      ++compared;
    }
    EXPECT_EQ(compared, 2);
  }
}

}  // namespace
}  // namespace edt::test::block_styles
