#include "launcher/train/start.h"

#include <algorithm>
#include <filesystem>

#include "core/base/log.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "data/decoder.h"
#include "launcher/exit_status.h"
#include "launcher/memory/memory_check.h"
#include "launcher/recipe/engine_config.h"
#include "launcher/recipe/latent_decoder.h"
#include "launcher/recipe/model_data.h"
#include "launcher/train/agreement.h"
#include "launcher/train/planned_step.h"
#include "launcher/train/run_changes.h"
#include "launcher/version.h"

namespace edt {
namespace {

// The data set as every rank must see it.
std::string signature_of(const data::Dataset& dataset) {
  const data::Description& description = dataset.description();
  std::string text =
      fmt::format("samples = {}\nclasses = {}\nlatents = {}x{}x{}\n", dataset.size(),
                  description.classes, description.channels, description.height, description.width);
  for (const auto& shard : dataset.shards()) {
    text += fmt::format("{} = {} samples, {} bytes\n", shard->path().filename().string(),
                        shard->size(), std::filesystem::file_size(shard->path()));
  }
  return text;
}

}  // namespace

data::DatasetOptions dataset_options(const TrainConfig& config) {
  const DataOptions& options = config.data;
  constexpr std::int64_t kAnyClasses = 1000;
  return {.verify_blocks = options.verify,
          .normalize = options.normalize,
          .normalize_eps = options.normalize_eps,
          .cache_bytes = static_cast<std::uint64_t>(options.cache) << 20,
          .arrays = array_requests(config, config.model.resolve(kAnyClasses))};
}

data::Holdout held_out_of(const TrainConfig& config, const data::Dataset& dataset) {
  if (config.data.holdout == 0) return {};
  return {config.data.holdout, config.train.seed, dataset.size()};
}

std::string other_pixels(const data::Dataset& dataset, const LatentShape& latents) {
  const data::Description& description = dataset.description();
  const std::int64_t counted = latents.factor * description.height;
  if (description.image_size == counted) return "";
  return fmt::format(
      "{}: latents of {} x {} are of pictures of {} pixels; model.image-size counts {} pixels for "
      "each latent, so {} stands for them",
      dataset.path().string(), description.height, description.width, description.image_size,
      latents.factor, counted);
}

std::string shared_data_identity(const TrainConfig& config, const data::Dataset& dataset,
                                 Communicator& world) {
  const bool shard_local = config.data.order == SampleOrder::kShardLocal;
  return world.broadcast(world.is_root() ? data_identity(dataset, shard_local) : "", 0,
                         "identity of the data set");
}

std::unique_ptr<Watchdog> make_watchdog(const RunOptions& options, Communicator& world,
                                        const std::shared_ptr<FlightRecorder>& recorder) {
  const Seconds start(options.start_timeout), later(options.timeout);
  // The watchdog says more than a collective that gives up, so it speaks first.
  world.set_timeout(2 * std::max(bounded_timeout(start), bounded_timeout(later)));
  if (options.timeout == 0 && options.start_timeout == 0) return nullptr;
  return std::make_unique<Watchdog>(
      world, recorder,
      WatchdogOptions{.start_timeout = start,
                      .timeout = later,
                      .directory = options.directory / "logs",
                      .status = options.requeue_stalled ? kBrokenOff : kFailed});
}

Mesh checked_mesh(const TrainConfig& config, const ModelConfig& model, const data::Dataset& dataset,
                  const std::string& configuration, Communicator& world) {
  require_agreement(world, "version", version_text());
  require_agreement(world, "configuration", configuration);
  require_agreement(world, "data set", signature_of(dataset));
  require_fits(dataset, model);
  if (world.is_root()) require_writable(config.run.prometheus, "run.prometheus");
  config.check_recipe(model);
  config.distill.require_same_latents(LatentSpace::of(dataset.description(), config.data.normalize),
                                      dataset.path().string());
  check_mesh({.ranks = world.size(),
              .tensor_ranks = config.parallel.tensor,
              .micro_batches = config.train.batch / config.train.micro_batch,
              .batch = config.train.batch,
              .model = model.name(),
              .shard_ranks = config.parallel.shard_ranks,
              .tensor_degrees = config.auxiliary(model).tensor_degrees(model)});
  return {world, config.parallel.tensor};
}

// Where ranks run, of nodes with several memory domains, and what does not fit.
void report_placement(const DeviceOptions& device, Communicator& world) {
  const std::vector<NodePlacement> nodes = device.take_cores(world);
  for (const std::string& line : placement_lines(nodes)) log::info("{}", line);
  if (device.kind == DeviceKind::kCuda) return;  // a rank with a GPU needs few cores
  for (const Finding& finding : findings(nodes)) log::warning("{}", finding.text);
}

std::unique_ptr<Backend> checked_backend(const TrainConfig& config, const ModelConfig& model,
                                         const Mesh& mesh) {
  report_placement(config.run.device, mesh.world());
  auto backend = config.run.device.make_backend(mesh.world());
  if (config.run.memory_check) {
    require_free_memory(planned_step(config, model, mesh.data().size(), mesh.tensor().size()),
                        backend->memory(), mesh.world());
  }
  return backend;
}

std::shared_ptr<const data::PictureDecoder> grid_decoder(const TrainConfig& config,
                                                         const ModelConfig& model,
                                                         const data::Dataset& dataset,
                                                         Backend& backend, Communicator& world) {
  const bool judges = config.run.evaluate_every > 0 && !config.run.evaluate_inception.empty();
  if (config.run.sample_every == 0 && !judges) return nullptr;
  const data::Description& description = dataset.description();
  if (!config.run.sample_vae.path.empty()) {
    const auto decoder = open_decoder(config.run.sample_vae, backend,
                                      LatentSpace::of(description, config.data.normalize),
                                      model.latents(), dataset.path().string());
    const AutoencoderInfo& info = decoder->info();
    require_agreement(world, "autoencoder",
                      fmt::format("{} = decoder checksum {}\n", info.path.filename().string(),
                                  checksum_text(info.decoder_checksum)));
    return decoder;
  }
  auto decoder = std::make_shared<data::Decoder>(description, config.data.normalize);
  if (decoder->is_false_colour() && config.run.sample_every > 0 && world.is_root()) {
    log::warning("sample grids are {}, as the data set has no decoder; run.sample-vae names one{}",
                 data::kFalseColours,
                 description.autoencoder.empty()
                     ? std::string()
                     : fmt::format(": {}, checksum {}", description.autoencoder,
                                   description.autoencoder_checksum));
  }
  return decoder;
}

std::unique_ptr<TrainingJudge> make_judge(const TrainConfig& config, const ModelConfig& model,
                                          const data::Dataset& dataset, Backend& backend,
                                          std::shared_ptr<const data::PictureDecoder> decoder,
                                          const Mesh& mesh) {
  if (config.run.evaluate_every == 0) return nullptr;
  return std::make_unique<TrainingJudge>(config, model, dataset, backend, std::move(decoder), mesh);
}

}  // namespace edt
