#include "launcher/evaluate/quality.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/storage/checksum.h"

namespace edt {
namespace {

// Of one set of samples.
class Judge {
 public:
  Judge(const FeatureSet& reference, const FeatureSet& samples, const QualityOptions& options)
      : reference_(reference), samples_(samples), options_(options) {
    quality_.kind = samples.kind();
  }

  Quality run(const FrechetReference& pooled, const std::optional<FrechetReference>& spatial,
              const Features& logits) {
    quality_.distance = pooled.distance_to(samples_.pooled);
    quality_.rank = pooled.rank();
    if (spatial) {
      quality_.spatial = spatial->distance_to(*samples_.spatial);
    } else if (is(FeatureKind::kInception)) {
      note("no sFID: the reference holds no statistics of spatial features");
    }
    if (is(FeatureKind::kInception)) {
      quality_.score = inception_score(logits, options_.score_part);
    }
    compare_features();
    note_kind();
    note_ranks();
    return std::move(quality_);
  }

 private:
  bool is(FeatureKind kind) const { return quality_.kind == kind; }

  void note_kind() {
    switch (quality_.kind) {
      case FeatureKind::kInception:
        return note_comparability();
      case FeatureKind::kLatents:
        return note_latents();
      case FeatureKind::kTable:
        return note_table();
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
    if (is(FeatureKind::kTable)) {
      quality_.gaussian = gaussian_discrepancy(reference, samples, options_.gaussian_sigma);
    }
    if (options_.kernel_subsets == 0) return;
    if (fewest >= options_.kernel_size) {
      quality_.kernel = kernel_inception_distance(reference, samples, options_.kernel_subsets,
                                                  options_.kernel_size, options_.seed);
    } else {
      note("no {}: subsets of {} of {}", is(FeatureKind::kInception) ? "KID" : "MMD",
           options_.kernel_size, fewest);
    }
  }

  void note_ranks() {
    const std::int64_t count = samples_.pooled.count, reference = reference_.pooled.count;
    if (count <= samples_.pooled.width()) {
      note("{} samples of {} features: their covariance has no full rank", count,
           samples_.pooled.width());
    }
    if (reference > 0 && reference <= reference_.pooled.width()) {
      note("{} of reference, of {} features: their covariance has no full rank", reference,
           reference_.pooled.width());
    }
  }

  void note_latents() {
    note(
        "distances between latents compare models of one data set; they are no FID, and fall with "
        "the number of samples, {}",
        samples_.pooled.count);
  }

  void note_table() {
    note(
        "which network these features are of is not known here: of DINOv2's class tokens the "
        "distance is FD-DINOv2, of CLIP's image embeddings CMMD is that of its paper; no FID, and "
        "it falls with the number of samples, {}",
        samples_.pooled.count);
  }

  void note_comparability() {
    constexpr std::int64_t kPublished = 50'000, kPublishedReference = 10'000;
    const std::int64_t count = samples_.pooled.count;
    if (count != kPublished) {
      note("{} samples: published figures take {}, and FID falls with their number", count,
           kPublished);
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

const char* name_of(FeatureKind kind) {
  switch (kind) {
    case FeatureKind::kInception:
      return "Inception's features";
    case FeatureKind::kLatents:
      return "features of latents";
    case FeatureKind::kTable:
      break;
  }
  return "features of a network that is not known";
}

void require_kind(const FeatureSet& reference, FeatureKind samples) {
  const FeatureKind kind = reference.kind();
  const bool may_see = kind == FeatureKind::kInception && samples == FeatureKind::kLatents;
  require<DataError>(kind == samples, "evaluate", "{} has {}, the samples would have {}{}",
                     reference.source, name_of(kind), name_of(samples),
                     may_see ? ": --inception judges their pictures" : "");
}

}  // namespace

void require_comparable(const FeatureSet& reference, std::uint64_t network,
                        InceptionResize resize) {
  require_kind(reference, FeatureKind::kInception);
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

void require_comparable(const FeatureSet& reference, const LatentFeatures& samples) {
  require_kind(reference, FeatureKind::kLatents);
  samples.require_same(*reference.latents, reference.source);
}

void require_comparable(const FeatureSet& reference, const FeatureSet& samples) {
  require_kind(reference, FeatureKind::kTable);
  require<DataError>(reference.pooled.width() == samples.pooled.width(), "evaluate",
                     "{} has {} features of each picture, {} has {}", reference.source,
                     reference.pooled.width(), samples.source, samples.pooled.width());
}

QualityJudge::QualityJudge(FeatureSet reference, const QualityOptions& options)
    : reference_(std::move(reference)), options_(options), pooled_(reference_.pooled) {
  if (reference_.spatial) spatial_.emplace(*reference_.spatial);
}

Quality QualityJudge::judge(const FeatureSet& samples, const Features& logits) const {
  return Judge(reference_, samples, options_).run(pooled_, spatial_, logits);
}

}  // namespace edt
