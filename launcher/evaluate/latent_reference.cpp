#include "launcher/evaluate/latent_reference.h"

#include <algorithm>

namespace edt {

FeatureSet latent_set_of(const data::Dataset& dataset, const LatentFeatures& features,
                         const LatentReference& reference,
                         const std::function<void(std::int64_t done)>& done) {
  constexpr std::int64_t kAtOnce = 256;
  data::SampleOrder order = dataset.make_order(reference.order);
  const std::int64_t count = std::min(reference.count, static_cast<std::int64_t>(order.size()));
  LatentCollector collector(features, reference.kept);
  data::ReadScratch scratch;
  std::vector<data::SampleRef> refs;
  std::vector<float> latents, values;
  for (std::int64_t first = 0; first < count; first += kAtOnce) {
    refs.clear();
    for (std::int64_t i = first; i < std::min(count, first + kAtOnce); ++i) {
      refs.push_back(order.at(static_cast<std::uint64_t>(i)));
    }
    latents.resize(refs.size() * dataset.description().latent_elements());
    dataset.read(refs, reference.order.seed, scratch, latents);
    values.clear();
    features.append(latents, values);
    collector.add({values, features.count()});
    if (done) done(collector.count());
  }
  return collector.finish(dataset.path().string());
}

bool is_data_set(const std::filesystem::path& path) {
  std::error_code code;
  if (!std::filesystem::is_directory(path, code)) return false;
  for (const auto& entry : std::filesystem::directory_iterator(path, code)) {
    const std::string extension = lower_case_extension(entry.path());
    if (extension == ".h5" || extension == ".hdf5") return true;
  }
  return false;
}

}  // namespace edt
