#include "tests/support/tiny_run.h"

#include "core/random/stream.h"
#include "data/writer.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt::test {

void write_tiny_data(const std::filesystem::path& directory, std::uint64_t samples,
                     bool with_decoder) {
  data::Description description;
  description.channels = 4;
  description.height = description.width = 16;
  description.image_size = 128;
  description.classes = 5;
  description.source = "test";
  description.scale = 0.5;
  description.class_names = {"a", "b", "c", "d", "e"};
  if (with_decoder) {
    constexpr std::size_t kValues = std::size_t{8} * 8 * 3;
    description.decoder = {.patch = 8,
                           .matrix = std::vector<float>(kValues * 4, 20.f),
                           .bias = std::vector<float>(kValues, 128.f)};
  }
  data::DatasetWriter writer(directory, description, samples, {.samples_per_shard = 32});
  std::vector<float> latent(description.latent_elements());
  for (std::uint64_t i = 0; i < samples; ++i) {
    random::fill_normal({.seed = 1, .sample = static_cast<std::uint32_t>(i)}, latent);
    const std::int32_t label = static_cast<std::int32_t>(i % 5);
    writer.append(latent, {}, std::span(&label, 1));
  }
  writer.finish();
}

void write_tiny_data(const std::filesystem::path& directory, const TinyLatents& shape) {
  constexpr std::uint64_t kSamples = 16;
  data::Description description;
  description.channels = shape.channels;
  description.height = shape.height;
  description.width = shape.width;
  description.image_size = shape.factor * shape.height;
  description.classes = 5;
  description.source = "test";
  if (shape.with_statistics) {
    for (int c = 0; c < shape.channels; ++c) description.channel_mean.push_back(c);
    description.channel_std.assign(static_cast<std::size_t>(shape.channels), 2);
  }
  data::DatasetWriter writer(directory, description, kSamples, {.samples_per_shard = 16});
  std::vector<float> latent(description.latent_elements());
  const std::size_t plane = latent.size() / static_cast<std::size_t>(shape.channels);
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    random::fill_normal({.seed = 1, .sample = static_cast<std::uint32_t>(i)}, latent);
    for (std::size_t e = 0; shape.with_statistics && e < latent.size(); ++e) {
      const std::size_t channel = e / plane;
      latent[e] = 2 * latent[e] + static_cast<float>(channel);
    }
    const std::int32_t label = static_cast<std::int32_t>(i % 5);
    writer.append(latent, {}, std::span(&label, 1));
  }
  writer.finish();
}

TrainConfig tiny_config(const std::filesystem::path& data, const std::filesystem::path& run) {
  TrainConfig config;
  config.model.preset = "EDT-Ti/2";
  config.model.image_size = 128;
  config.model.sizes.widths = {8, 12, 16, 12, 8};
  config.model.sizes.heads = {2, 3, 4, 3, 2};
  config.data.path = data;
  config.train.steps = 6;
  config.train.batch = 8;
  config.train.micro_batch = 4;
  config.train.clip = 1;
  config.train.seed = 5;
  config.optimizer.rate.decay_steps = 100;
  config.optimizer.ema_decay = 0.9;
  config.run.directory = run;
  config.run.checkpoint_every = 0;
  config.run.log_every = 1000;
  return config;
}

TrainConfig tiny_config(const std::filesystem::path& data, const std::filesystem::path& run,
                        const std::string& kind) {
  TrainConfig config = tiny_config(data, run);
  if (kind == "EDT") return config;
  config.model.preset = kind + "-S/2";
  config.model.sizes.depths =
      kind == "DiT" ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{2, 1};
  config.model.sizes.widths = {16};
  config.model.sizes.heads = {2};
  config.train.masked = kind != "DiT";
  config.train.times.sampling = TimeSampling::kUniform;
  if (kind == "DiT") config.optimizer.kind = OptimizerKind::kAdamW;
  return config;
}

TrainConfig tiny_gpu_config(const std::filesystem::path& data, const std::filesystem::path& run) {
  TrainConfig config = tiny_config(data, run);
  config.model.sizes.heads = {2, 2, 4, 2, 2};
  config.model.sizes.widths = {16, 24, 32, 24, 16};
  config.train.steps = 2;
  config.train.batch = 2;
  config.train.micro_batch = 1;
  config.run.device.kind = DeviceKind::kCuda;
  return config;
}

int run(const TrainConfig& config, Communicator& world) {
  OptionSet options("train", "");
  TrainConfig copy = config;
  copy.declare(options);
  const StopSignals signals;
  return Trainer(config, options.to_ini(), world).run(true, signals);
}

int run(const TrainConfig& config) { return run(config, *make_self_communicator()); }

std::map<std::string, std::vector<double>> contents(const std::filesystem::path& run) {
  const Checkpoint checkpoint = find_checkpoint(run);
  const Manifest& manifest = checkpoint.manifest();
  std::map<std::string, std::vector<double>> all;
  for (const std::string& array : manifest.arrays) {
    for (std::size_t i = 0; i < manifest.tensors.size(); ++i) {
      const auto values = checkpoint.read_tensor(array, i);
      all[array + ":" + manifest.tensors[i].name].assign(values.begin(), values.end());
    }
  }
  for (const StoredExtra& extra : manifest.extras) {
    const auto stored = checkpoint.extra(extra.name);
    std::visit([&](const auto& values) { all[extra.name].assign(values.begin(), values.end()); },
               stored->values);
  }
  return all;
}

}  // namespace edt::test
