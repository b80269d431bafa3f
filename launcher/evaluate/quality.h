// All figures of a set of samples against a reference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/evaluate/feature_set.h"
#include "model/evaluation/frechet.h"
#include "model/evaluation/inception_score.h"
#include "model/evaluation/kernel_distance.h"
#include "model/evaluation/neighbours.h"

namespace edt {

struct QualityOptions {
  std::int64_t score_part = 5000;       // pictures of a part of the Inception Score, as ADM's
  std::int64_t neighbours = 3;          // of precision and recall, as ADM's
  std::int64_t density_neighbours = 5;  // of density and coverage, as their paper's
  std::int64_t kernel_subsets = 100, kernel_size = 1000;  // as torch-fidelity's; 0: no KID
  std::uint64_t seed = 0;                                 // of these subsets
  double gaussian_sigma = 10;                             // of CMMD, as published
};

// What cannot be computed is absent, and `notes` say why. But of Inception's features the distance
// is no FID, and there is neither a spatial one nor a score.
struct Quality {
  FeatureKind kind = FeatureKind::kInception;
  FrechetDistance distance;                // FID
  std::int64_t rank = 0;                   // of the reference's covariance
  std::optional<FrechetDistance> spatial;  // sFID
  std::optional<InceptionScore> score;
  std::optional<PrecisionRecall> shares;
  std::optional<DensityCoverage> density;
  std::optional<KernelDistance> kernel;
  std::optional<double> gaussian;  // CMMD: of tables alone
  std::vector<std::string> notes;  // why figures are absent, or not comparable with published ones
};

// DataError, before anything is computed, where the reference was made with another network or
// another way of resizing, naming both, or has features of another width.
void require_comparable(const FeatureSet& reference, std::uint64_t network, InceptionResize resize);

// The same for samples that are judged by their latents.
void require_comparable(const FeatureSet& reference, const LatentFeatures& samples);

// The same for samples whose features came from a file: `samples` is such a set.
void require_comparable(const FeatureSet& reference, const FeatureSet& samples);

// Judges one set of samples after the other: the reference's covariances are taken apart once.
class QualityJudge {
 public:
  QualityJudge(FeatureSet reference, const QualityOptions& options);

  const FeatureSet& reference() const { return reference_; }
  const QualityOptions& options() const { return options_; }
  // `logits` of Inception, none of latents. `require_comparable` has been called.
  Quality judge(const FeatureSet& samples, const Features& logits = {}) const;

 private:
  FeatureSet reference_;
  QualityOptions options_;
  FrechetReference pooled_;
  std::optional<FrechetReference> spatial_;
};

}  // namespace edt
