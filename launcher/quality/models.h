// Finished runs side by side: what each model takes to store, to train and to sample, and what it
// is worth.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "launcher/quality/measure.h"
#include "launcher/quality/spread.h"

namespace edt {

// One model, trained with one or several seeds: RUN-seed-0, RUN-seed-1.
struct FinishedModel {
  std::string name;  // of its directories, without the seed
  std::vector<std::filesystem::path> runs;
};
// In the order of the paths. UsageError where one is there twice.
std::vector<FinishedModel> finished_models(const std::vector<std::filesystem::path>& runs);

struct JudgedForm {
  std::string name;  // "int8, taylor 3"
  SamplingForm form;
};

struct JudgedModel {
  std::string name, form;
  std::int64_t parameters = 0, weight_bytes = 0;
  double gmac = 0;  // of a sample
  std::size_t runs = 0;
  // Over runs. `training`: images a second, of runs that have a record of it; `held_out`: of those
  // that were not trained on all samples.
  std::optional<Spread> training, sampling, held_out, latent_distance;
};

// Of a model's file: float32, ternary weights in two bits, or the blocks' in eight.
std::int64_t weight_bytes(const ParameterList& parameters, bool int8);

// Each model in each form, of the data set at `data`. UsageError, before anything is measured,
// where a run does not fit it. All ranks; figures are those of the first. `say` is told what is
// done.
std::vector<JudgedModel> judge_models(const std::vector<FinishedModel>& models,
                                      const std::vector<JudgedForm>& forms,
                                      const std::filesystem::path& data,
                                      const MeasureOptions& options, Backend& backend,
                                      Communicator& ranks,
                                      const std::function<void(const JudgedModel&)>& say);

}  // namespace edt
