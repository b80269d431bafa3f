#include "short_training.h"

#include "core/cpu/cpu_backend.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt::test {
namespace {

constexpr std::int64_t kSide = 8;

EngineConfig engine_config(const Setting& setting) {
  EngineConfig config;
  config.dtype = setting.dtype;
  config.batch = setting.micro_batches;
  config.micro_batch = 1;
  config.objective.masked = setting.model.passes().masked();
  config.rate.initial = 1e-3;
  config.ema_decay = 0.5;
  config.clip = 0.5;
  config.seed = 5;
  config.graphs = setting.graphs;
  config.recompute = setting.recompute;
  config.zero = setting.zero;
  config.zero.bucket_elements = 4096;  // many buckets of a small model
  return config;
}

template <class Config>
Config tiny(const char* name) {
  Config config;
  config.name = name;
  config.latents = LatentShape::square(kSide);
  config.classes = 4;
  return config;
}

}  // namespace

EdtConfig tiny_edt() {
  auto config = tiny<EdtConfig>("tiny EDT");
  config.depths = {1, 1, 1};
  config.widths = {16, 24, 16};
  config.heads = {2, 2, 2};
  config.mid_mask = true;
  config.mid_mask_block = 0;
  return config;
}

DitConfig tiny_dit() {
  auto config = tiny<DitConfig>("tiny DiT");
  config.depth = 2;
  config.width = 16;
  config.heads = 2;
  return config;
}

DitConfig tiny_lightning_dit() {
  DitConfig config = tiny_dit();
  config.name = "tiny LightningDiT";
  config.style = {.norm = NormForm::kRms,
                  .mlp = MlpForm::kSwiglu,
                  .head_norm = HeadNorm::kRms,
                  .positions = Positions::kBoth};
  return config;
}

Mdtv2Config tiny_mdtv2() {
  auto config = tiny<Mdtv2Config>("tiny MDTv2");
  config.encoder_depth = 2;
  config.decoder_depth = 1;
  config.width = 16;
  config.heads = 2;
  return config;
}

Outcome train(Backend& backend, Communicator& data, const TensorGroup& tensor,
              const Setting& setting) {
  const auto model = make_model(setting.model, backend, setting.dtype, tensor);
  EngineConfig config = engine_config(setting);
  Outcome outcome;
  config.on_phase = [&](std::string_view phase) { outcome.replays += phase == "graph"; };
  TrainingEngine engine(*model, backend, data, config);
  engine.initialize();
  std::vector<float> latents(4 * kSide * kSide);
  for (int taken = 0; taken < setting.steps; ++taken) {
    const auto step = static_cast<std::uint32_t>(engine.step());
    engine.begin_step();
    for (const std::int64_t index : engine.own_micro_batches()) {
      random::fill_normal({.seed = 3, .step = step, .sample = static_cast<std::uint32_t>(index)},
                          latents);
      const std::vector<std::int32_t> labels{static_cast<std::int32_t>((index + step) % 4)};
      engine.run_micro_batch(index, latents, labels);
    }
    const StepReport report = engine.finish_step();
    EXPECT_EQ(report.non_finite, "");
    outcome.losses.insert(outcome.losses.end(), {report.loss, report.masked_loss.value_or(-1)});
    outcome.norms.push_back(report.grad_norm);
    setting.after_step(engine, backend);
  }
  outcome.average = engine.gather_moving_average();
  return outcome;
}

Outcome train_on_cpu(const Setting& setting) {
  const auto cpu = make_cpu_backend();
  const auto alone = make_self_communicator();
  return train(*cpu, *alone, {}, setting);
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance * std::abs(b[i]));
}

void expect_same_bits(const Outcome& a, const Outcome& b) {
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.norms, b.norms);
  EXPECT_TRUE(a.average == b.average);
}

}  // namespace edt::test
