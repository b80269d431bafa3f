// What the file system has to give so that no step waits for its samples.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "launcher/recipe/train_config.h"
#include "model/plan/search.h"

namespace edt {

struct DataReading {
  std::string source;       // of the figures: a data set, or what is taken for one
  double sample_bytes = 0;  // of a sample, with the arrays beside it that are trained on
  double all_bytes = 0;     // of all samples; 0: not known
  double samples_per_second = 0;

  double bytes_per_second() const { return sample_bytes * samples_per_second; }
};

// With the steps of the best choice. Without a data set latents count as float16.
DataReading reading_of(const TrainConfig& config, const ModelConfig& model, const Prediction& best);

std::string reading_text(const DataReading& reading);
nlohmann::ordered_json to_json(const DataReading& reading);

}  // namespace edt
