#include "launcher/quality/study.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/image/png.h"
#include "core/json/json_bytes.h"
#include "core/json/json_text.h"
#include "core/storage/durable_file.h"
#include "data/holdout.h"
#include "launcher/recipe/latent_space.h"
#include "launcher/recipe/model_data.h"
#include "launcher/text/report.h"
#include "launcher/train/micro_batch.h"
#include "launcher/train/trainer.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kProbe = 8;  // steps that tell the cost of one
constexpr double kReached = 0.98;   // of a part of the budget

// What arms whose keys end so need, and nobody else takes.
void require_asked(bool given, std::string_view option, std::string_view ending,
                   const std::vector<QualityArm>& arms) {
  const auto taker =
      std::ranges::find_if(arms, [&](const QualityArm& arm) { return arm.key.ends_with(ending); });
  require<UsageError>(given || taker == arms.end(), "bench quality",
                      "--arms names {}, and {} is "
                      "not given",
                      taker == arms.end() ? "" : taker->key, option);
  require<UsageError>(!given || taker != arms.end(), "bench quality",
                      "{} is given, and --arms names no arm that ends in {}", option, ending);
}

std::vector<QualityArm> chosen_arms(const QualityStudyOptions& options) {
  std::vector<QualityArm> all = quality_arms(options.arm), chosen;
  for (const std::string& key : options.arms) {
    const auto found = std::ranges::find(all, key, &QualityArm::key);
    require<UsageError>(found != all.end(), "bench quality", "--arms names {}", key);
    require<UsageError>(std::ranges::find(chosen, key, &QualityArm::key) == chosen.end(),
                        "bench quality", "--arms names {} twice", key);
    chosen.push_back(*found);
  }
  require_asked(!options.arm.features.empty(), "--features", "-repa", chosen);
  require_asked(!options.arm.teacher.empty(), "--teacher", "-distilled", chosen);
  return chosen;
}

// Studies of earlier versions have none.
Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(json_of_bytes(text));
}
Json list_or_null(const std::vector<std::string>& list) {
  return list.empty() ? Json(nullptr) : Json(list);
}

// What all measurements of a study have in common.
Json description(const QualityStudyOptions& options) {
  const MeasureOptions& m = options.measure;
  Json json{{"data", json_of_bytes(std::filesystem::absolute(options.data).native())},
            {"size", options.arm.size},
            {"optimizer", options.arm.equal_optimizer ? "equal" : "recipe"},
            {"lr", options.arm.equal_optimizer ? Json(options.arm.learning_rate) : Json(nullptr)},
            {"warmup-steps", options.arm.warmup_steps},
            {"ema-decay", options.arm.ema_decay},
            {"seconds", options.seconds},
            {"flops", options.flops},
            {"points", options.points},
            {"batch", options.batch},
            {"holdout", options.holdout},
            {"train", options.train},
            {"samples", m.samples},
            {"sampler-steps", m.steps},
            {"cfg-scale", m.guidance},
            {"draws", m.draws},
            {"features", list_or_null(options.arm.features)},
            {"teacher", text_or_null(options.arm.teacher.string())},
            {"inception", json_of_bytes(m.inception.native())},
            {"reference", json_of_bytes(m.reference.native())}};
  return json;
}

Json to_json(const QualityPoint& point) {
  const MeasuredQuality& q = point.quality;
  return {{"step", point.cost.steps},
          {"seconds", point.cost.seconds},
          {"flops", point.cost.flops},
          {"images", point.images},
          {"held_out_error", q.held_out},
          {"trained_error", q.trained},
          {"latent_distance", q.latent_distance},
          {"fid", q.fid ? Json(*q.fid) : Json(nullptr)}};
}

QualityPoint fields_of(const nlohmann::json& json) {
  QualityPoint point;
  point.cost = {json.at("step"), json.at("seconds"), json.at("flops")};
  point.images = json.at("images");
  const auto number = [&](const char* key) {  // null: it was not finite
    return json.at(key).is_null() ? NAN : json.at(key).get<double>();
  };
  point.quality = {
      number("held_out_error"), number("trained_error"), number("latent_distance"), {}};
  if (!json.at("fid").is_null()) point.quality.fid = json.at("fid").get<double>();
  return point;
}

QualityPoint read_point(const std::filesystem::path& file) {
  const nlohmann::json json = try_parse_json(read_text(file));
  try {
    return fields_of(json);
  } catch (const nlohmann::json::exception& error) {
    fail<DataError>("bench quality", "{} is damaged ({}): remove it, to measure anew",
                    file.string(), json.is_object() ? error.what() : "no object of JSON");
  }
}

}  // namespace

QualityStudy::QualityStudy(const QualityStudyOptions& options, Backend& backend,
                           Communicator& ranks)
    : options_(options),
      arms_(chosen_arms(options)),
      dataset_(options.data),
      ranks_(ranks),
      meter_(dataset_, options.measure, backend, ranks) {
  EDT_ASSERT((options.seconds > 0) != (options.flops > 0));
  for (const std::int64_t seed : options.seeds) {
    data::Holdout(options.holdout, static_cast<std::uint64_t>(seed), dataset_.size());
  }
  for (const QualityTask& task : tasks()) (void)recipe(task, 1);
  if (ranks.is_root()) check_directory();
  if (ranks.is_root()) (void)results();  // what is damaged is known before anything is trained
}

void QualityStudy::check_directory() const {
  make_directories(options_.out / "points");
  const std::filesystem::path file = options_.out / "study.json";
  const Json now = description(options_);
  if (!std::filesystem::exists(file)) {
    write_text_atomically(file, dump_json(now, 2) + "\n");
    return;
  }
  const nlohmann::json before = try_parse_json(read_text(file));
  require<UsageError>(before.is_object(), "bench quality", "{} is damaged", file.string());
  for (const auto& [key, value] : now.items()) {
    const nlohmann::json earlier = before.value(key, nlohmann::json());
    require<UsageError>(earlier == nlohmann::json(value), "bench quality",
                        "the study in {} has {} {}, now it is {}", options_.out.string(), key,
                        dump_json(earlier), dump_json(value));
  }
}

std::vector<QualityTask> QualityStudy::tasks() const {
  std::vector<QualityTask> all;
  for (const std::int64_t seed : options_.seeds) {
    for (std::size_t arm = 0; arm < arms_.size(); ++arm) all.push_back({arm, seed});
  }
  return all;
}

std::filesystem::path QualityStudy::run_directory(const QualityTask& task) const {
  return options_.out / "runs" / fmt::format("{}-seed-{}", arms_[task.arm].key, task.seed);
}

std::filesystem::path QualityStudy::grid_file(const QualityTask& task) const {
  return options_.out / "grids" / fmt::format("{}-seed-{}.png", arms_[task.arm].key, task.seed);
}

std::filesystem::path QualityStudy::point_file(const QualityTask& task, int point) const {
  return options_.out / "points" /
         fmt::format("{}-seed-{}-{}.json", arms_[task.arm].key, task.seed, point);
}

QualityStudy::Recipe QualityStudy::recipe(const QualityTask& task, std::int64_t steps) const {
  Recipe recipe;
  TrainConfig& config = recipe.config;
  OptionSet options("train", "");
  config.declare(options);
  std::vector<std::string> arguments = arms_[task.arm].arguments;
  for (const std::string& more :
       {"--data.path=" + std::filesystem::absolute(options_.data).string(),
        "--run.dir=" + std::filesystem::absolute(run_directory(task)).string(),
        fmt::format("--train.seed={}", task.seed), fmt::format("--train.steps={}", steps),
        fmt::format("--train.batch={}", options_.batch),
        fmt::format("--train.micro-batch={}", options_.micro_batch),
        fmt::format("--data.holdout={}", options_.holdout), std::string("--run.checkpoint-every=0"),
        std::string("--run.keep-checkpoints=2"), std::string("--run.tensorboard=off")}) {
    arguments.push_back(more);
  }
  arguments.insert(arguments.end(), options_.train.begin(), options_.train.end());
  (void)options.parse(arguments);
  config.validate();
  config.distill.choose_checkpoint();
  take_data(dataset_.description(), options, config);
  const ModelConfig model = config.model.resolve(dataset_.description().classes);
  require_fits(dataset_, model);
  require_no_conditions(model, "bench quality");
  for (const data::ArrayRequest& request : array_requests(config, model)) {
    (void)data::resolve_array(dataset_.description(), request, dataset_.path().string());
  }
  config.check_recipe(model);
  config.distill.require_same_latents(
      LatentSpace::of(dataset_.description(), config.data.normalize), dataset_.path().string());
  (void)choose_micro_batch(config, model, ranks_.size(), {});
  recipe.text = options.to_ini();
  return recipe;
}

double QualityStudy::spent(const TrainingCost& cost) const {
  return options_.seconds > 0 ? cost.seconds : cost.flops;
}

double QualityStudy::budget() const {
  return options_.seconds > 0 ? options_.seconds : options_.flops;
}

TrainingCost QualityStudy::cost_of(const QualityTask& task) const {
  TrainingCost cost;
  if (ranks_.is_root()) cost = training_cost(run_directory(task) / "metrics.jsonl");
  const auto share = [&](double value, const char* label) {
    return ranks_.all_reduce_value(value, Reduce::kSum, label);
  };
  return {std::llround(share(static_cast<double>(cost.steps), "steps")),
          share(cost.seconds, "seconds"), share(cost.flops, "FLOPs")};
}

std::int64_t QualityStudy::saved_step(const QualityTask& task) const {
  double newest = 0;
  if (ranks_.is_root()) {
    for (const auto& entry : CheckpointStore(run_directory(task) / "checkpoints").entries()) {
      if (entry.complete) newest = std::max(newest, static_cast<double>(entry.step));
    }
  }
  return std::llround(ranks_.all_reduce_value(newest, Reduce::kSum, "saved step"));
}

// The cost of a step is looked at again after each part of the way, as a machine may slow down.
bool QualityStudy::train(const QualityTask& task, double share, const StopSignals& signals) {
  const double limit = share * budget();
  for (;;) {
    const TrainingCost cost = cost_of(task);
    const double done = spent(cost);
    const bool is_reached = cost.steps > 0 && done >= kReached * limit;
    if (is_reached && saved_step(task) == cost.steps) return true;
    std::int64_t more = 0;  // steps that were taken and not saved are taken again
    if (!is_reached) {
      more = cost.steps < kProbe ? kProbe - cost.steps : steps_until(done, limit, cost.steps);
    }
    const Recipe next = recipe(task, cost.steps + more);
    Trainer trainer(next.config, next.text, ranks_);
    const int status = trainer.run(true, signals);
    if (status != kDone) return false;
  }
}

void QualityStudy::measure(const QualityTask& task, int point) {
  const TrainingCost cost = cost_of(task);
  const QualityPoint measured{cost, cost.steps * options_.batch,
                              meter_.measure(run_directory(task))};
  if (point == options_.points) {
    const Image grid = meter_.grid(run_directory(task));
    if (!grid.pixels.empty()) {
      make_directories(grid_file(task).parent_path());
      write_png(grid_file(task), grid);
    }
  }
  if (ranks_.is_root()) {
    write_text_atomically(point_file(task, point), dump_json(to_json(measured), 2) + "\n");
  }
  ranks_.barrier("a measurement is written");
}

bool QualityStudy::run(const QualityTask& task, const StopSignals& signals,
                       const std::function<void(const std::string&)>& say) {
  for (int i = 1; i <= options_.points; ++i) {
    const bool is_there = ranks_.any(ranks_.is_root() && point(task, i).has_value(), "measured");
    if (is_there) continue;
    if (!train(task, static_cast<double>(i) / options_.points, signals)) return false;
    measure(task, i);
    if (!ranks_.is_root()) continue;
    const QualityPoint now = *point(task, i);
    say(fmt::format(
        "{}, seed {}, {} of {}: step {} after {}, error of noise {:.4f}, distance {:.4g}",
        arms_[task.arm].label, task.seed, i, options_.points, now.cost.steps,
        human_duration(now.cost.seconds), now.quality.held_out, now.quality.latent_distance));
  }
  return true;
}

std::optional<QualityPoint> QualityStudy::point(const QualityTask& task, int point) const {
  const std::filesystem::path file = point_file(task, point);
  if (!std::filesystem::exists(file)) return {};
  return read_point(file);
}

QualityRun QualityStudy::result(const QualityTask& task) const {
  QualityRun run{task, {}};
  for (int i = 1; i <= options_.points; ++i) {
    if (auto one = point(task, i)) run.points.push_back(*one);
  }
  return run;
}

bool QualityStudy::is_complete(const QualityTask& task) const {
  return result(task).points.size() == static_cast<std::size_t>(options_.points);
}

std::vector<QualityRun> QualityStudy::results() const {
  std::vector<QualityRun> all;
  for (const QualityTask& task : tasks()) {
    QualityRun run = result(task);
    if (!run.points.empty()) all.push_back(std::move(run));
  }
  return all;
}

}  // namespace edt
