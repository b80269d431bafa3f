// Features of the latents that a model is trained on: what its samples are compared with.
#pragma once

#include <functional>

#include "data/dataset.h"
#include "launcher/evaluate/feature_set.h"

namespace edt {

struct LatentReference {
  data::OrderOptions order;     // samples of its first epoch, flipped as there
  std::int64_t count = 50'000;  // the first ones; fewer where there are not as many
  std::int64_t kept = 10'000;   // of them with their features
};

// `done` is told how many have been read. DataError for a value that is not finite.
FeatureSet latent_set_of(const data::Dataset& dataset, const LatentFeatures& features,
                         const LatentReference& reference,
                         const std::function<void(std::int64_t done)>& done = {});

// Whether there are shards of a data set at `path`, which no statistics or pictures are.
bool is_data_set(const std::filesystem::path& path);

}  // namespace edt
