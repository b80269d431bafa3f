#include "launcher/evaluate/feature_pass.h"

#include <algorithm>

namespace edt {
namespace {

constexpr std::int64_t kBatch = Inception::kBatch;

void resize(InceptionFeatures& features, std::int64_t count) {
  features.pooled.resize(static_cast<std::size_t>(count * InceptionFeatures::kPooled));
  features.spatial.resize(static_cast<std::size_t>(count * InceptionFeatures::kSpatial));
  features.logits.resize(static_cast<std::size_t>(count * InceptionFeatures::kClasses));
}

template <class F>
void for_each_table(InceptionFeatures& features, const F& f) {
  for (std::vector<float>* table : {&features.pooled, &features.spatial, &features.logits}) {
    f(view_of(std::span(*table), {static_cast<std::int64_t>(table->size())}));
  }
}

}  // namespace

void run_features(PictureSource& source, Inception& network, Communicator& ranks,
                  const FeaturePass& pass) {
  const auto end_of = [&](std::int64_t first) { return std::min(pass.pictures, first + kBatch); };
  InceptionFeatures features;
  for (std::int64_t round = 0; round < pass.pictures; round += ranks.size() * kBatch) {
    const std::int64_t mine = round + ranks.rank() * kBatch;
    if (mine < pass.pictures) {
      features = network.run(source.read(mine, end_of(mine) - mine), pass.resize);
      if (!ranks.is_root()) {
        for_each_table(features, [&](const Tensor& t) { ranks.send(t, 0, "features"); });
      }
    }
    if (!ranks.is_root()) continue;
    pass.sink(features);
    for (int rank = 1; rank < ranks.size(); ++rank) {
      const std::int64_t first = round + rank * kBatch;
      if (first >= pass.pictures) break;
      resize(features, end_of(first) - first);
      for_each_table(features, [&](const Tensor& t) { ranks.receive(t, rank, "features"); });
      pass.sink(features);
    }
  }
}

}  // namespace edt
