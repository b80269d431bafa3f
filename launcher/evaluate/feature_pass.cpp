#include "launcher/evaluate/feature_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "core/base/error.h"

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

void check_range(const std::vector<Image>& pictures, const std::string& source) {
  const auto is_dark = [](const Image& picture) {
    return std::ranges::all_of(picture.pixels, [](std::uint8_t value) { return value <= 1; });
  };
  require<DataError>(!std::ranges::all_of(pictures, is_dark), "evaluate",
                     "{}: the first {} pictures are of the values 0 and 1 alone, bytes of pictures "
                     "reach from 0 to 255",
                     source, pictures.size());
}

// Sizes seen by one rank; minima are kept negative, so that all of them are maxima.
class SeenSizes {
 public:
  void add(const std::vector<Image>& pictures) {
    for (const Image& picture : pictures) {
      const std::array<std::int32_t, 4> sides{-picture.width, picture.width, -picture.height,
                                              picture.height};
      for (std::size_t i = 0; i < sides.size(); ++i) most_[i] = std::max(most_[i], sides[i]);
    }
  }
  PictureSizes of_all(Communicator& ranks) {
    ranks.all_reduce(view_of(std::span<std::int32_t>(most_), {4}), Reduce::kMax,
                     "sizes of pictures");
    return {-most_[0], most_[1], -most_[2], most_[3]};
  }

 private:
  static constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::min();
  std::array<std::int32_t, 4> most_{kNone, kNone, kNone, kNone};
};

}  // namespace

std::string PictureSizes::text() const {
  return fmt::format("{} x {} to {} x {} pixels", least_width, least_height, most_width,
                     most_height);
}

PictureSizes run_features(PictureSource& source, Inception& network, Communicator& ranks,
                          const FeaturePass& pass) {
  SeenSizes sizes;
  const auto end_of = [&](std::int64_t first) { return std::min(pass.pictures, first + kBatch); };
  InceptionFeatures features;
  for (std::int64_t round = 0; round < pass.pictures; round += ranks.size() * kBatch) {
    const std::int64_t mine = round + ranks.rank() * kBatch;
    if (mine < pass.pictures) {
      const std::vector<Image> pictures = source.read(mine, end_of(mine) - mine);
      if (mine == 0) check_range(pictures, source.name());
      sizes.add(pictures);
      features = network.run(pictures, pass.resize);
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
  return sizes.of_all(ranks);
}

}  // namespace edt
