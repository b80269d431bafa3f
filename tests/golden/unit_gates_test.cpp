// Dynamic width and tokens against the published DyDiT, and its gates in EDT: what gates decide,
// losses, all gradients, evaluation and samples, with what gates shut multiplied with 0 and left
// out. No logit of a file is so near 0 that float32 decides otherwise; in bf16 some are.
#include <gtest/gtest.h>

#include <memory>

#include "core/ops/backend.h"
#include "model/blocks/narrow_blocks.h"
#include "model/gate_record.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/golden_samples.h"

namespace edt::test {
namespace {

std::vector<GoldenPart> gated_files() {
  std::vector<GoldenPart> all;
  for (const char* kind : {"dit dydit", "edt dydit"}) {
    for (const std::string& file : golden_models(kind)) all.push_back({file});
  }
  return all;
}

std::vector<GoldenCase> in_float32(std::vector<GoldenCase> all) {
  std::erase_if(all, [](const GoldenCase& one) { return one.dtype == DType::kBFloat16; });
  return all;
}

std::vector<float> differences(const std::vector<float>& pairs) {
  std::vector<float> of(pairs.size() / 2);
  for (std::size_t i = 0; i < of.size(); ++i) of[i] = pairs[i] - pairs[of.size() + i];
  return of;
}

class GatesGolden : public GoldenTest {
 protected:
  // Half of the rows are those of the complete network; with `complete` false there are none.
  struct Step {
    std::vector<float> mse, vb;  // of all rows
    std::vector<float> share;    // of the gated ones
    double penalty = 0, total = 0;
  };

  void begin() override {
    golden_.emplace(file_, *backend_, DType::kFloat32);
    times_ = file_.read<float>("/inputs/t");
    for (const std::int64_t dim : file_.shape("/inputs/x_start")) image_.append(dim);
    const auto depth = static_cast<std::size_t>(golden_->config().blocks());
    for (std::size_t b = 0; b < depth; ++b) blocks_.push_back("blocks." + std::to_string(b));
  }

  Model& model() { return golden_->model(); }
  std::int64_t batch() const { return image_[0]; }
  Tensor floats(const std::vector<float>& values, const Shape& shape) {
    return golden_->tensor(values, shape, DType::kFloat32);
  }
  // `of_pass` as often as there are passes.
  template <class T>
  static std::vector<T> repeated(std::vector<T> of_pass, std::int64_t passes) {
    const std::vector<T> one = of_pass;
    for (std::int64_t p = 1; p < passes; ++p) of_pass.insert(of_pass.end(), one.begin(), one.end());
    return of_pass;
  }

  Tensor draws();
  ModelInputs seen(const Tensor& x_t, std::vector<std::int64_t> labels, std::int64_t passes,
                   PassHooks hooks);
  Tensor noised(std::int64_t passes);
  Step step(bool complete);
  void expect_gates(const std::vector<GatedBlock>& blocks, const std::string& group);
  std::vector<float> output(Model& of, PassHooks hooks = {});
  std::vector<float> sampled(bool narrow);

  std::optional<GoldenModel> golden_;
  std::vector<float> times_;
  Shape image_;
  std::vector<std::string> blocks_;
};

// Differences of the file's draws, in the order in which blocks take them.
Tensor GatesGolden::draws() {
  std::vector<std::vector<float>> rows(static_cast<std::size_t>(batch()));
  for (const std::string& block : blocks_) {
    for (const char* const kind : {"/attn", "/token", "/mlp"}) {
      const auto values = differences(file_.read<float>("/inputs/gumbel/" + block + kind));
      const std::size_t each = values.size() / rows.size();
      for (std::size_t b = 0; b < rows.size(); ++b) {
        const auto begin = values.begin() + static_cast<std::ptrdiff_t>(b * each);
        rows[b].insert(rows[b].end(), begin, begin + static_cast<std::ptrdiff_t>(each));
      }
    }
  }
  std::vector<float> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return floats(all, {batch(), static_cast<std::int64_t>(rows[0].size())});
}

ModelInputs GatesGolden::seen(const Tensor& x_t, std::vector<std::int64_t> labels,
                              std::int64_t passes, PassHooks hooks) {
  const std::int64_t rows = passes * batch();
  return {x_t, floats(repeated(times_, passes), {rows}), golden_->integers(labels, {rows}), hooks};
}

Tensor GatesGolden::noised(std::int64_t passes) {
  return floats(repeated(file_.read<float>("/expected/x_t"), passes),
                {passes * batch(), image_[1], image_[2], image_[3]});
}

GatesGolden::Step GatesGolden::step(bool complete) {
  const std::int64_t passes = complete ? 2 : 1, rows = passes * batch();
  const Shape image{rows, image_[1], image_[2], image_[3]};
  const bool has_snr = golden_kind(file_).starts_with("edt");
  Tape& tape = golden_->tape();
  GateRecord record;
  record.begin(draws(), file_.number("/", "tau"));
  std::vector<std::int32_t> steps(times_.begin(), times_.end());
  std::vector<float> coefficients(steps.size() * LossCoefficient::kCount);
  model().process().schedule()->loss_coefficients(steps, has_snr ? 5 : 0, coefficients);
  auto labels = file_.read<std::int64_t>("/inputs/labels_after_drop");
  if (complete) {
    const auto more = file_.read<std::int64_t>("/inputs/labels_after_drop_complete");
    labels.insert(labels.end(), more.begin(), more.end());
  }
  const std::vector<float> zeros(static_cast<std::size_t>(rows));
  const Tensor mse = floats(zeros, {rows}), vb = floats(zeros, {rows});
  const LossInputs inputs{floats(repeated(file_.read<float>("/inputs/x_start"), passes), image),
                          noised(passes),
                          floats(repeated(file_.read<float>("/inputs/noise"), passes), image),
                          floats(repeated(coefficients, passes), {rows, LossCoefficient::kCount}),
                          floats(std::vector<float>(static_cast<std::size_t>(rows), 1.f), {rows}),
                          model().patch()};
  const Tensor shares = floats(std::vector<float>(times_.size()), {batch()});
  const double weight = file_.number("/", "flops_weight");
  Step made;
  {
    const Var tokens = model().forward(tape, seen(inputs.x_t, labels, passes, {.gates = &record}));
    const Var mean = diffusion_loss(tape, tokens, inputs, mse, vb);
    expect_gates(record.blocks(), "/expected/train/gates/");
    std::vector<GatedBlock> blocks = record.blocks();
    double products = 0;
    for (const GatedBlock& block : blocks) products += block.attention + block.mlp;
    for (GatedBlock& block : blocks) {
      block.attention /= products;
      block.mlp /= products;
    }
    const Var share = unit_share(tape, blocks, batch());
    const Tensor target = floats({static_cast<float>(file_.number("/", "target_ratio"))}, {1});
    const Var penalty = share_penalty(tape, share, target, shares);
    made.penalty = weight * golden_->host(penalty.tensor())[0];
    made.total = static_cast<double>(passes) * golden_->host(mean.tensor())[0] + made.penalty;
    backend_->fill(tape.target(mean.grad()).tensor, static_cast<double>(passes));
    backend_->fill(tape.target(penalty.grad()).tensor, weight);
    blocks.clear();
    record.clear();
    tape.backward();
  }
  tape.clear();
  made.mse = golden_->host(mse);
  made.vb = golden_->host(vb);
  made.share = golden_->host(shares);
  return made;
}

// Decisions, to the bit: those of the rows with gates; all others are open.
void GatesGolden::expect_gates(const std::vector<GatedBlock>& blocks, const std::string& group) {
  ASSERT_EQ(blocks.size(), blocks_.size());
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    for (const auto& [kind, gates] :
         {std::pair{"/attn", blocks[b].heads}, std::pair{"/mlp", blocks[b].hidden},
          std::pair{"/token", blocks[b].tokens}}) {
      std::vector<float> expected = file_.read<float>(group + blocks_[b] + kind);
      std::vector<float> actual = golden_->host(gates.tensor());
      ASSERT_GE(actual.size(), expected.size());
      expected.resize(actual.size(), 1.f);
      EXPECT_EQ(actual, expected) << group << blocks_[b] << kind;
    }
  }
}

TEST_P(GatesGolden, ATrainingStep) {
  const std::size_t of_pass = times_.size();
  for (const bool complete : {true, false}) {
    const std::string loss =
        complete ? "/expected/train/total_loss" : "/expected/train/total_loss_stage2";
    if (!file_.has(loss)) continue;
    golden_.emplace(file_, *backend_, DType::kFloat32);
    const Step made = step(complete);
    const auto rows_of = [&](const std::vector<float>& values, bool second) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(second ? of_pass : 0);
      return std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(of_pass));
    };
    const double tolerance = GetParam().output_tolerance;
    expect_close(rows_of(made.mse, false), "/expected/train/mse", tolerance);
    expect_close(rows_of(made.vb, false), "/expected/train/vb", tolerance);
    if (complete) {
      expect_close(rows_of(made.mse, true), "/expected/train/complete_mse", tolerance);
      expect_close(rows_of(made.vb, true), "/expected/train/complete_vb", tolerance);
    }
    // Sums of a few hundred zeros and ones.
    expect_close(made.share, "/expected/train/flops_ratio_per_sample", 1e-6);
    EXPECT_NEAR(made.penalty / file_.read<double>("/expected/train/flops_loss")[0], 1, 1e-5);
    EXPECT_NEAR(made.total / file_.read<double>(loss)[0], 1, tolerance);
    const std::string grads = complete ? "/grads/" : "/grads/stage2/";
    for (const Parameter& parameter : model().parameters().all()) {
      expect_close(golden_->host(parameter.grad), grads + parameter.name,
                   GetParam().gradient_tolerance);
    }
  }
}

std::vector<float> GatesGolden::output(Model& of, PassHooks hooks) {
  Tape& tape = golden_->tape();
  const Tape::NoGrad inference(tape);
  const Shape shape{batch(), of.process().config().out_channels(image_[1]), image_[2], image_[3]};
  const Tensor out = floats(std::vector<float>(static_cast<std::size_t>(shape.elements())), shape);
  {
    const Var tokens =
        of.forward(tape, seen(noised(1), file_.read<std::int64_t>("/inputs/labels"), 1, hooks));
    backend_->unpatchify(tokens.tensor(), of.patch(), out);
  }
  tape.clear();
  return golden_->host(out);
}

TEST_P(GatesGolden, EvaluatesWithoutDraws) {
  golden_->use_modulation();
  const double tolerance = GetParam().output_tolerance;
  expect_close(output(model()), "/expected/eval/output", tolerance);
  ModelConfig open = golden_->config();
  open.common().gates = {};
  GoldenModel complete(file_, open, *backend_, DType::kFloat32);
  complete.use_modulation();
  expect_close(output(complete.model()), "/expected/eval/output_complete", tolerance);
}

std::vector<float> GatesGolden::sampled(bool narrow) {
  golden_->use_modulation();
  PictureRequest request = samples_request(file_);
  request.solver.kind = SolverKind::kDdim;
  const auto times = file_.read<std::int64_t>("/inputs/sample/timesteps_ddim");
  request.solver.spacing = "ddim" + std::to_string(times.size());
  request.narrow = narrow;
  std::vector<float> latents(request.init_noise.size());
  PictureSampler(model(), *backend_, DType::kFloat32).run(request, latents);
  return latents;
}

TEST_P(GatesGolden, Samples) {
  const std::vector<float> masked = sampled(false), narrow = sampled(true);
  expect_close(masked, "/expected/sample_ddim", 1e-4);
  expect_close(narrow, "/expected/sample_ddim", 1e-4);
  // Sums over the units that are on are those over all units with zeros between, in another order.
  EXPECT_LE(relative_error(narrow, masked), 1e-5);
}

// The share that is computed is the one that the loss counts.
TEST_P(GatesGolden, LeavesOutWhatTheLossCounts) {
  golden_->use_modulation();
  std::vector<float> shares = file_.read<float>("/expected/eval/flops_ratio_per_sample");
  const auto labels = file_.read<std::int64_t>("/inputs/labels");
  double sum = 0, computed = 0;
  for (std::size_t b = 0; b < shares.size(); ++b) {
    // Rows of one time, as samplers have them.
    const std::size_t each = static_cast<std::size_t>(image_.elements()) / shares.size();
    const auto x_t = file_.read<float>("/expected/x_t");
    const std::vector<float> row(x_t.begin() + static_cast<std::ptrdiff_t>(b * each),
                                 x_t.begin() + static_cast<std::ptrdiff_t>((b + 1) * each));
    NarrowBlocks narrow(*backend_);
    Tape& tape = golden_->tape();
    const Tape::NoGrad inference(tape);
    {
      const ModelInputs inputs{floats(row, {1, image_[1], image_[2], image_[3]}),
                               floats({times_[b]}, {1}),
                               golden_->integers({labels[b]}, {1}),
                               {.narrow = &narrow}};
      (void)model().forward(tape, inputs);
    }
    tape.clear();
    sum += shares[b];
    computed += narrow.share();
  }
  EXPECT_NEAR(computed / sum, 1, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Cuda, GatesGolden, testing::ValuesIn(in_float32(on_gpu(gated_files()))));
INSTANTIATE_TEST_SUITE_P(Models, GatesGolden,
                         testing::ValuesIn(in_float32(on_host(gated_files()))));

}  // namespace
}  // namespace edt::test
