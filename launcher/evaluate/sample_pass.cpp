#include "launcher/evaluate/sample_pass.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/base/error.h"
#include "core/random/permutation.h"
#include "core/random/stream.h"
#include "core/storage/half.h"

namespace edt {
namespace {

// Of Purpose::kEvaluation, beside those of data/holdout.cpp, held_out.cpp and validation_loss.cpp.
constexpr std::uint32_t kLabels = 0x80000003u, kTexts = 0x80000004u;
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

// Rows of one picture, as they travel.
constexpr std::int64_t kSeen =
    InceptionFeatures::kPooled + InceptionFeatures::kSpatial + InceptionFeatures::kClasses;

void append_row(std::vector<float>& to, const std::vector<float>& from, std::size_t row,
                std::int64_t width) {
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(row) * width;
  to.insert(to.end(), begin, begin + width);
}

std::vector<float> seen_by_inception(const SampleEye& eye, std::span<const float> latents) {
  const auto each =
      static_cast<std::size_t>(eye.latents.channels * eye.latents.height * eye.latents.width);
  std::vector<Image> pictures;
  for (std::size_t at = 0; at < latents.size(); at += each) {
    pictures.push_back(eye.decoder->decode(latents.subspan(at, each),
                                           static_cast<int>(eye.latents.height),
                                           static_cast<int>(eye.latents.width)));
  }
  const InceptionFeatures seen = eye.network->run(pictures, eye.resize);
  std::vector<float> rows;
  rows.reserve(pictures.size() * kSeen);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    append_row(rows, seen.pooled, i, InceptionFeatures::kPooled);
    append_row(rows, seen.spatial, i, InceptionFeatures::kSpatial);
    append_row(rows, seen.logits, i, InceptionFeatures::kClasses);
  }
  return rows;
}

// Of latents that are not finite, rows of NaN: bytes of a picture would not show it.
std::vector<float> rows_of(const SampleEye& eye, std::vector<float> latents) {
  const auto each =
      static_cast<std::size_t>(eye.latents.channels * eye.latents.height * eye.latents.width);
  std::vector<std::size_t> bad;
  for (std::size_t i = 0; i < latents.size() / each; ++i) {
    const auto one = std::span(latents).subspan(i * each, each);
    if (all_finite(one)) continue;
    bad.push_back(i);
    std::ranges::fill(one, 0.f);
  }
  std::vector<float> rows;
  if (eye.sees_pictures()) {
    rows = seen_by_inception(eye, latents);
  } else {
    eye.latents.append(latents, rows);
  }
  const std::size_t width = rows.size() / (latents.size() / each);
  for (const std::size_t i : bad)
    std::ranges::fill(std::span(rows).subspan(i * width, width), kNone);
  return rows;
}

// Takes rows as they arrive on the first rank.
class Collector {
 public:
  Collector(const SampleEye& eye, std::int64_t count) : eye_(eye) {
    eye.sees_pictures() ? void(inception_.emplace(count))
                        : void(latents_.emplace(eye.latents, count));
  }

  void add(std::span<const float> rows) {
    const auto width =
        static_cast<std::size_t>(eye_.sees_pictures() ? kSeen : eye_.latents.count());
    for (std::size_t at = 0; at < rows.size(); at += width) {
      const auto row = rows.subspan(at, width);
      if (std::isnan(row[0])) {
        ++not_finite_;
        continue;
      }
      ++taken_;
      if (eye_.sees_pictures()) {
        add_seen(row);
      } else {
        latents_->add({row, eye_.latents.count()});
      }
    }
  }
  SeenSamples finish() {
    constexpr const char* kSource = "samples of the model";
    if (taken_ < 2) return {{}, {}, not_finite_};  // of which there are no statistics
    if (latents_) return {latents_->finish(kSource), {}, not_finite_};
    FeatureSet set = inception_->finish(kSource, eye_.network->checksum(), eye_.resize);
    return {std::move(set), inception_->logits(), not_finite_};
  }

 private:
  void add_seen(std::span<const float> row) {
    const auto take = [&](std::int64_t width) {
      const auto part = row.first(static_cast<std::size_t>(width));
      row = row.subspan(part.size());
      return std::vector<float>(part.begin(), part.end());
    };
    InceptionFeatures one;
    one.pooled = take(InceptionFeatures::kPooled);
    one.spatial = take(InceptionFeatures::kSpatial);
    one.logits = take(InceptionFeatures::kClasses);
    inception_->add(one);
  }

  const SampleEye& eye_;
  std::optional<FeatureCollector> inception_;
  std::optional<LatentCollector> latents_;
  std::int64_t taken_ = 0, not_finite_ = 0;
};

}  // namespace

std::string_view name_of(LabelOrder order) {
  return order == LabelOrder::kRandom ? "random" : "in-turn";
}

std::function<std::uint64_t(std::int64_t picture)> drawn_samples(std::uint64_t samples,
                                                                 std::uint64_t seed) {
  const random::Permutation order({seed, random::Purpose::kEvaluation, kTexts, 0}, samples);
  return [order, samples](std::int64_t picture) {
    return order(static_cast<std::uint64_t>(picture) % samples);
  };
}

std::vector<std::int32_t> drawn_labels(std::int64_t count, std::int64_t classes, LabelOrder order,
                                       std::uint64_t seed) {
  std::vector<std::int32_t> labels(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto number = static_cast<std::int64_t>(i);
    const float u = random::uniform(
        {seed, random::Purpose::kEvaluation, kLabels, static_cast<std::uint32_t>(i)});
    labels[i] =
        order == LabelOrder::kInTurn
            ? class_in_turn(number, classes)
            : static_cast<std::int32_t>(static_cast<double>(u) * static_cast<double>(classes));
  }
  return labels;
}

SeenSamples see_samples(PictureSampler& sampler, const PictureRequest& request,
                        const SampleEye& eye, Communicator& ranks, bool looks,
                        const StepDone& step_done) {
  const bool collects = looks && ranks.is_root();
  std::optional<Collector> collector;
  if (collects) collector.emplace(eye, static_cast<std::int64_t>(request.labels.size()));
  sample_over_ranks(
      sampler, request, ranks,
      [&](std::span<const float> rows) {
        if (collects) collector->add(rows);
      },
      step_done,
      [&](std::vector<float> latents) {
        return looks ? rows_of(eye, std::move(latents)) : latents;
      });
  return collects ? collector->finish() : SeenSamples{};
}

}  // namespace edt
