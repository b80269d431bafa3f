// edt plan: memory, communication and time of a training step on a cluster that is not at hand.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/table.h"
#include "launcher/plan/calibrate.h"
#include "launcher/plan/cluster_file.h"
#include "launcher/plan/data_reading.h"
#include "launcher/plan/encode_plan.h"
#include "launcher/plan/plan_report.h"
#include "launcher/plan/plan_scale.h"
#include "launcher/recipe/engine_config.h"
#include "launcher/recipe/model_data.h"
#include "launcher/text/report.h"
#include "launcher/train/micro_batch.h"
#include "launcher/train/planned_step.h"
#include "launcher/watch/run_view.h"
#include "launcher/watch/watch_json.h"
#include "model/autoencoder/published.h"

namespace edt {
namespace {

struct PlanOptions {
  std::string cluster = "8xh100";
  int ranks = 0, ranks_per_device = 1;
  bool search = true;
  std::string scale;
  std::int64_t weak_images = 32;
  std::int64_t most_micro_batches = 32;
  std::size_t shown = 10;
  std::filesystem::path html, csv;
  bool json = false;
  std::uint64_t encode = 0;
  std::string vae = "sd";
  double encode_rate = 0;
  std::filesystem::path calibrate, from_run;
  int rounds = 3;

  void declare(OptionSet& options) {
    options.section("plan", "Plan");
    options
        .add("plan.cluster", &cluster,
             fmt::format("a cluster file, or one of {}", fmt::join(cluster_presets(), ", ")))
        .alias("cluster");
    options.add("plan.ranks", &ranks, "ranks to use; 0: one node").alias("ranks").at_least(0);
    options
        .add("plan.ranks-per-device", &ranks_per_device,
             "that take turns at each device, as with run.share-gpus, or where a machine has fewer "
             "cores than ranks")
        .alias("ranks-per-device")
        .range(1, 1024);
    options
        .add("plan.search", &search,
             "look for the best tensor ranks, zero stage, micro-batch and recomputation; what the "
             "command line says stays")
        .alias("search");
    options
        .add("plan.most-micro-batches", &most_micro_batches,
             "of a rank in a step, for the choices that are tried; more only where nothing fits")
        .range(1, 4096);
    options
        .add("plan.scale", &scale,
             "the best plan at each of these numbers of ranks, doubling: 1..4096; with the batch, "
             "and with one that grows with the ranks")
        .alias("scale");
    options.add("plan.weak-images", &weak_images, "of each rank, in the batch that grows")
        .alias("weak-images")
        .at_least(1);
    options.add("plan.shown", &shown, "choices shown on the terminal").alias("shown").at_least(1);
    options.add("plan.html", &html, "write a page").alias("html");
    options.add("plan.csv", &csv, "write a table").alias("csv");
    options.add("plan.json", &json, "for scripts").alias("json");
    options
        .add("plan.encode", &encode,
             "instead of training: how long edt data encode takes for this many pictures of "
             "model.image-size, with their mirror images")
        .alias("encode")
        .default_is("a plan of training");
    options
        .add("plan.encode-vae", &vae,
             fmt::format("its autoencoder: a file, or the structure of {}",
                         fmt::join(published_autoencoders(), ", ")))
        .alias("encode-vae");
    options
        .add("plan.encode-rate", &encode_rate,
             "pictures/s of a device in one orientation, as edt bench vae measures them; 0: "
             "estimated from the rate of its products")
        .unit("pictures/s")
        .at_least(0)
        .alias("encode-rate");
    options
        .add("plan.calibrate", &calibrate,
             "measure this machine for this step, on all ranks that were started, and write, or "
             "add to, this cluster file")
        .alias("calibrate");
    options
        .add("plan.from-run", &from_run,
             "a run of this recipe: where its loss goes by train.steps, and when it is there")
        .alias("from-run");
    options.add("plan.rounds", &rounds, "of measurements").alias("rounds").range(1, 1000);
  }
};

// What is planned as it is, not searched.
bool is_fixed(std::string_view name, const OptionSet& options, const PlanOptions& plan) {
  return !plan.search || !plan.calibrate.empty() || options.origin(name) == "command line";
}

SearchSpace space_of(const OptionSet& options, const TrainConfig& config, const PlanOptions& plan,
                     const Cluster& cluster) {
  const auto fixed = [&](std::string_view name) { return is_fixed(name, options, plan); };
  SearchSpace space{.least = cluster.measured.seconds.empty(),
                    .most_micro_batches = plan.most_micro_batches,
                    .node_ranks = cluster.devices};
  if (fixed("parallel.tensor")) space.tensor_ranks = config.parallel.tensor;
  if (fixed("parallel.zero")) space.stage = config.parallel.zero;
  if (fixed("parallel.shard-ranks")) space.shard_ranks = config.parallel.shard_ranks;
  if (fixed("train.micro-batch")) space.micro_batch = config.train.micro_batch;
  if (fixed("train.recompute")) space.recompute = config.train.recompute;
  return space;
}

int run_calibration(const TrainConfig& config, const ModelConfig& model, const PlanOptions& plan,
                    CommandContext& context) {
  const PlannedStep step = step_to_calibrate(config, model);
  const auto backend = config.run.device.make_backend(context.world);
  context.run_started = true;
  const Cluster cluster =
      calibrate_into(plan.calibrate, step, *backend, context.world, plan.rounds);
  context.note("{}\n", calibration_text(plan.calibrate, cluster));
  return kDone;
}

void check_ranks(int ranks, const Cluster& cluster) {
  require<UsageError>(ranks <= cluster.ranks(), "plan", "{} ranks are asked for, {} has {}", ranks,
                      cluster.name, cluster.ranks());
}

int run_scale(const PlannedStep& step, const PlanOptions& plan, SearchSpace space,
              const Cluster& cluster, CommandContext& context) {
  ScaleRange range = parse_scale_range(plan.scale);
  range.weak_images = plan.weak_images;
  check_ranks(range.last, cluster);
  constexpr std::int64_t kMost = 8;  // keeps the search short
  space.most_micro_batches = std::min(space.most_micro_batches, kMost);
  const auto plans = plan_scaling(step, range, space, cluster, [](const ScaledPlan& done) {
    log::debug("{} scaling, {} ranks", done.weak ? "weak" : "strong", done.ranks);
  });
  if (!plan.html.empty()) scaling_page(plans, cluster).write(plan.html);
  if (!plan.csv.empty()) write_text_atomically(plan.csv, scaling_csv(plans, cluster));
  if (plan.json) {
    context.print("{}\n", dump_json(scaling_json(plans, cluster), 2));
  } else {
    context.print("{}", scaling_text(plans, cluster));
  }
  return kDone;
}

int run_encode(const TrainConfig& config, const PlanOptions& plan, int ranks,
               const Cluster& cluster, CommandContext& context) {
  check_ranks(ranks, cluster);
  const EncodePlan encoding = plan_encoding(
      [&](Backend& backend) {
        return load_or_draw(plan.vae, backend, {.use = AutoencoderUse::kEncoding});
      },
      {.pictures = plan.encode,
       .side = config.model.image_size.value_or(256),
       .ranks = ranks,
       .rate = plan.encode_rate},
      cluster);
  if (plan.json) {
    context.print("{}\n", dump_json(encode_json(encoding, cluster), 2));
  } else {
    context.print("{}", encode_text(encoding, cluster));
  }
  return kDone;
}

// Of a run that has gone some way with the same batch.
LossForecast forecast_of(const std::filesystem::path& run, const TrainConfig& config) {
  RunView view(run, run.filename().string());
  view.forecast_at(config.train.steps);
  view.refresh(0);
  require<UsageError>(config.train.steps > view.step(), "plan",
                      "train.steps is {}, {} has been through {} already", config.train.steps,
                      run.string(), view.step());
  require<UsageError>(!view.recipe() || view.recipe()->batch == config.train.batch, "plan",
                      "--from-run {} has train.batch {}, the plan has {}", run.string(),
                      view.recipe() ? view.recipe()->batch : 0, config.train.batch);
  return forecast_loss(view.metrics(), config.train.steps);
}

std::string loss_text(const LossForecast& forecast, const SearchResult& result) {
  std::string text = "loss: " + forecast_text(forecast);
  if (forecast.is_sound() && !result.fitting.empty()) {
    const double seconds = static_cast<double>(forecast.step) * result.fitting.front().time.seconds;
    text += fmt::format(", {} from the beginning", human_duration(seconds));
  }
  return text;
}

}  // namespace

int plan(std::span<const std::string> args, CommandContext& context) {
  TrainConfig config;
  PlanOptions plan;
  OptionSet options("plan",
                    "Predicts memory, communication and time of training steps on a cluster, by "
                    "running the training code without computing. Takes the options of edt train.");
  plan.declare(options);
  config.declare(options);
  options.not_required("data.path");
  options.not_required("run.dir");
  if (!read_options(options, args, context)) return kDone;
  // Sizes that are tried follow from the batch, whatever a file or the default says.
  if (!is_fixed("train.micro-batch", options, plan)) config.train.micro_batch = config.train.batch;
  config.validate();
  require_writable(plan.html, "--html", ".html .htm");
  require_writable(plan.csv, "--csv", ".csv .tsv");
  if (context.world.is_root()) require_writable(plan.calibrate, "--calibrate", ".ini");
  if (std::filesystem::exists(config.data.path)) {
    const data::Description data =
        data::Dataset(config.data.path, {.verify_blocks = false}).description();
    take_data(data, options, config);
  }
  const ModelConfig model = config.model.resolve(1000);
  if (plan.encode == 0) config.check_recipe(model);
  if (!plan.calibrate.empty()) {
    choose_micro_batch(config, model, context.world.size(), {});
    return run_calibration(config, model, plan, context);
  }
  require<UsageError>(context.world.size() == 1, "plan",
                      "runs on one rank, the launcher started {}; only --calibrate uses more",
                      context.world.size());
  const Cluster cluster = shared_devices(read_cluster(plan.cluster), plan.ranks_per_device);
  const int ranks = plan.ranks == 0 ? cluster.devices : plan.ranks;
  if (plan.encode > 0) return run_encode(config, plan, ranks, cluster, context);
  choose_micro_batch(config, model, plan.scale.empty() ? ranks : 1,
                     {cluster.name, cluster.memory, cluster.process_memory});
  const PlannedStep step = planned_step(config, model);
  if (!plan.scale.empty()) {
    return run_scale(step, plan, space_of(options, config, plan, cluster), cluster, context);
  }
  check_ranks(ranks, cluster);
  std::optional<LossForecast> forecast;
  if (!plan.from_run.empty()) forecast = forecast_of(plan.from_run, config);
  const SearchResult result =
      search(step, ranks, space_of(options, config, plan, cluster), cluster);
  std::optional<DataReading> reading;
  if (!result.fitting.empty()) reading = reading_of(config, model, result.fitting.front());
  if (!plan.html.empty()) {
    Page page = plan_page(result, cluster, ranks);
    if (reading) page.heading("Data").paragraph(reading_text(*reading));
    if (forecast) page.heading("Loss").paragraph(loss_text(*forecast, result));
    page.write(plan.html);
  }
  if (!plan.csv.empty()) write_text_atomically(plan.csv, plan_csv(result, cluster));
  if (plan.json) {
    nlohmann::ordered_json json = plan_json(result, cluster, ranks);
    if (reading) json["data"] = to_json(*reading);
    if (forecast) json["loss"] = to_json(*forecast);
    context.print("{}\n", dump_json(json, 2));
  } else {
    context.print("{}", plan_text(result, cluster, ranks, plan.shown));
    if (reading) context.print("{}\n", reading_text(*reading));
    if (forecast) context.print("{}\n", loss_text(*forecast, result));
  }
  return kDone;
}

}  // namespace edt
