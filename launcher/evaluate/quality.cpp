#include "launcher/evaluate/quality.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/storage/checksum.h"

namespace edt {
namespace {

class Judge {
 public:
  Judge(const FeatureSet& reference, const FeatureSet& samples, const QualityOptions& options)
      : reference_(reference), samples_(samples), options_(options) {}

  Quality run(const Features& logits) {
    compare_statistics();
    quality_.score = inception_score(logits, options_.score_part);
    compare_features();
    note_comparability();
    return std::move(quality_);
  }

 private:
  void compare_statistics() {
    const FrechetReference pooled(reference_.pooled);
    quality_.fid = pooled.distance_to(samples_.pooled);
    quality_.fid_rank = pooled.rank();
    if (reference_.spatial) {
      quality_.sfid = FrechetReference(*reference_.spatial).distance_to(*samples_.spatial);
    } else {
      note("no sFID: the reference holds no statistics of spatial features");
    }
  }

  void compare_features() {
    const Features reference = reference_.kept(), samples = samples_.kept();
    const std::int64_t fewest = std::min(reference.count(), samples.count());
    if (reference.count() == 0) {
      note("no precision, recall, density, coverage and KID: the reference holds statistics alone");
      return;
    }
    if (fewest > std::max(options_.neighbours, options_.density_neighbours)) {
      quality_.shares = precision_recall(reference, samples, options_.neighbours);
      quality_.density = density_coverage(reference, samples, options_.density_neighbours);
    } else {
      note("no precision, recall, density and coverage: {} pictures have no {} neighbours", fewest,
           std::max(options_.neighbours, options_.density_neighbours));
    }
    if (fewest >= options_.kernel_size) {
      quality_.kernel = kernel_inception_distance(reference, samples, options_.kernel_subsets,
                                                  options_.kernel_size, options_.seed);
    } else {
      note("no KID: subsets of {} pictures of {}", options_.kernel_size, fewest);
    }
  }

  void note_comparability() {
    constexpr std::int64_t kPublished = 50'000, kPublishedReference = 10'000;
    const std::int64_t count = samples_.pooled.count;
    if (count != kPublished) {
      note("{} samples: published figures take {}, and FID falls with their number", count,
           kPublished);
    }
    if (count <= samples_.pooled.width()) {
      note("{} samples of {} features: their covariance has no full rank", count,
           samples_.pooled.width());
    }
    const std::int64_t reference = reference_.pooled.count;
    if (reference > 0 && reference <= reference_.pooled.width()) {
      note("{} pictures of reference: their covariance has no full rank", reference);
    }
    if (quality_.shares && reference_.kept().count() != kPublishedReference) {
      note("precision and recall against {} pictures: published ones are against {}",
           reference_.kept().count(), kPublishedReference);
    }
    if (samples_.resize != InceptionResize::kAdm) {
      note("resized as {}: ADM's and DiT's figures are not", name_of(*samples_.resize));
    }
    if (!reference_.network) {
      note("{} does not say which Inception weights made it", reference_.source);
    }
  }

  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    quality_.notes.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  const FeatureSet& reference_;
  const FeatureSet& samples_;
  const QualityOptions& options_;
  Quality quality_;
};

}  // namespace

void require_comparable(const FeatureSet& reference, std::uint64_t network,
                        InceptionResize resize) {
  require<DataError>(!reference.network || *reference.network == network, "evaluate",
                     "{} was made by Inception weights {}, these are {}", reference.source,
                     checksum_text(reference.network.value_or(0)), checksum_text(network));
  require<DataError>(!reference.resize || *reference.resize == resize, "evaluate",
                     "{} was resized as {}, the samples would be as {}", reference.source,
                     name_of(reference.resize.value_or(resize)), name_of(resize));
  const auto check_width = [&](const FeatureStatistics& statistics, std::int64_t width) {
    require<DataError>(statistics.width() == width, "evaluate",
                       "{} has statistics of {} features, Inception gives {}", reference.source,
                       statistics.width(), width);
  };
  check_width(reference.pooled, InceptionFeatures::kPooled);
  if (reference.spatial) check_width(*reference.spatial, InceptionFeatures::kSpatial);
}

Quality judge(const FeatureSet& reference, const FeatureSet& samples, const Features& logits,
              const QualityOptions& options) {
  return Judge(reference, samples, options).run(logits);
}

}  // namespace edt
