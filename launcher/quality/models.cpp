#include "launcher/quality/models.h"

#include <algorithm>
#include <cmath>

#include "launcher/quality/training_cost.h"
#include "launcher/recipe/model_data.h"
#include "model/blocks/token_weights.h"

namespace edt {
namespace {

// A directory without "-seed-N" at its end.
std::filesystem::path without_seed(const std::filesystem::path& run) {
  const std::string name = run.filename().string();
  const std::size_t at = name.rfind("-seed-");
  const bool has_seed = at != std::string::npos && at > 0 && at + 6 < name.size() &&
                        name.find_first_not_of("0123456789", at + 6) == std::string::npos;
  return has_seed ? run.parent_path() / name.substr(0, at) : run;
}

std::optional<double> training_rate(const std::filesystem::path& run, const TrainConfig& config) {
  const TrainingCost cost = training_cost(run / "metrics.jsonl");
  if (cost.seconds <= 0) return {};
  return static_cast<double>(cost.steps * config.train.batch) / cost.seconds;
}

// Latents as all of the runs see them; UsageError where they do not see the same.
data::DatasetOptions latents_of(const std::vector<FinishedModel>& models) {
  std::optional<data::DatasetOptions> first;
  for (const FinishedModel& model : models) {
    for (const std::filesystem::path& run : model.runs) {
      const DataOptions data = configuration_of(find_checkpoint(run)).data;
      const data::DatasetOptions now{.normalize = data.normalize,
                                     .normalize_eps = data.normalize_eps};
      if (!first) first = now;
      require<UsageError>(
          now.normalize == first->normalize && now.normalize_eps == first->normalize_eps,
          "bench models",
          "{} and {} see other latents of a data set: data.normalize {}, {} and {}, {}",
          models.front().runs.front().string(), run.string(), first->normalize ? "on" : "off",
          first->normalize_eps, now.normalize ? "on" : "off", now.normalize_eps);
    }
  }
  return *first;
}

void require_judgeable(const std::filesystem::path& run, const std::vector<JudgedForm>& forms,
                       const data::Dataset& dataset) {
  const Checkpoint checkpoint = find_checkpoint(run);
  const ModelConfig model = model_config_of(checkpoint, configuration_of(checkpoint));
  require_fits(dataset, model);
  require_no_conditions(model, "bench models");
  for (const JudgedForm& form : forms) {
    require<UsageError>(!form.form.weights.int8 || !model.common().gates.is_on(), "bench models",
                        "--forms has {}, and {} has gates, which cut weights at every step",
                        form.name, run.string());
  }
}

// What is told of one model in one form, run by run.
class Judgement {
 public:
  Judgement(const FinishedModel& model, const JudgedForm& form)
      : judged_{.name = model.name, .form = form.name} {}

  void describe(const std::filesystem::path& run, bool int8, Backend& backend) {
    const Checkpoint checkpoint = find_checkpoint(run);
    const ModelConfig config = model_config_of(checkpoint, configuration_of(checkpoint));
    const std::unique_ptr<Model> model = make_model(config, backend, DType::kFloat32);
    judged_.parameters = model->parameters().elements();
    judged_.weight_bytes = weight_bytes(model->parameters(), int8);
  }
  void add(const std::filesystem::path& run, const MeasuredQuality& quality, std::int64_t samples) {
    const TrainConfig config = configuration_of(find_checkpoint(run));
    if (const auto rate = training_rate(run, config)) training_.push_back(*rate);
    sampling_.push_back(static_cast<double>(samples) / quality.sampling_seconds);
    if (std::isfinite(quality.held_out)) held_out_.push_back(quality.held_out);
    distance_.push_back(quality.latent_distance);
    ++judged_.runs;
    judged_.gmac = quality.sampling_gmac;
  }
  JudgedModel result() {
    judged_.training = spread_of(training_);
    judged_.sampling = spread_of(sampling_);
    judged_.held_out = spread_of(held_out_);
    judged_.latent_distance = spread_of(distance_);
    return judged_;
  }

 private:
  JudgedModel judged_;
  std::vector<double> training_, sampling_, held_out_, distance_;
};

}  // namespace

std::vector<FinishedModel> finished_models(const std::vector<std::filesystem::path>& runs) {
  std::vector<FinishedModel> models;
  std::vector<std::filesystem::path> places;  // of each
  std::vector<std::filesystem::path> seen;
  for (const std::filesystem::path& given : runs) {
    std::filesystem::path run = std::filesystem::weakly_canonical(given);
    if (run.filename().empty()) run = run.parent_path();
    require<UsageError>(std::ranges::find(seen, run) == seen.end(), "bench models",
                        "{} is given twice", given.string());
    seen.push_back(run);
    const std::filesystem::path place = without_seed(run);
    const auto found = std::ranges::find(places, place);
    if (found != places.end()) {
      models[static_cast<std::size_t>(found - places.begin())].runs.push_back(run);
      continue;
    }
    places.push_back(place);
    models.push_back({place.filename().string(), {run}});
  }
  for (std::size_t i = 0; i < models.size(); ++i) {  // the same name at two places: all of it
    const auto namesakes = std::ranges::count_if(
        places, [&](const auto& other) { return other.filename() == places[i].filename(); });
    if (namesakes > 1) models[i].name = places[i].string();
  }
  return models;
}

std::int64_t weight_bytes(const ParameterList& parameters, bool int8) {
  std::int64_t bytes = 0;
  for (const Parameter& parameter : parameters.all()) {
    const std::int64_t elements = parameter.shape.elements();
    if (int8 && is_token_weight(parameter.name)) {
      bytes += elements + 4 * parameter.shape[0];  // a scale for each output
    } else {
      bytes += parameter.ternary != nullptr ? elements / 4 : 4 * elements;
    }
  }
  return bytes;
}

std::vector<JudgedModel> judge_models(const std::vector<FinishedModel>& models,
                                      const std::vector<JudgedForm>& forms,
                                      const std::filesystem::path& data,
                                      const MeasureOptions& options, Backend& backend,
                                      Communicator& ranks,
                                      const std::function<void(const JudgedModel&)>& say) {
  const data::Dataset dataset(data, latents_of(models));
  for (const FinishedModel& model : models) {
    for (const std::filesystem::path& run : model.runs) require_judgeable(run, forms, dataset);
  }
  QualityMeter meter(dataset, options, backend, ranks);
  std::vector<JudgedModel> all;
  for (const JudgedForm& form : forms) {
    for (const FinishedModel& model : models) {
      Judgement judgement(model, form);
      judgement.describe(model.runs.front(), form.form.weights.int8, backend);
      for (const std::filesystem::path& run : model.runs) {
        judgement.add(run, meter.measure(run, form.form), options.samples);
      }
      all.push_back(judgement.result());
      say(all.back());
    }
  }
  return all;
}

}  // namespace edt
