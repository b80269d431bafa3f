// What papers say of the arms, and whether a study sees it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/quality/comparison.h"

namespace edt {

enum class Verdict {
  kSeen,      // the least and the most of the seeds lie apart, and so as it is said
  kReversed,  // apart, the other way round
  kUnclear,   // no further apart than seeds
  kOneSeed,   // which cannot tell
};
std::string_view name_of(Verdict verdict);

// Two arms at one cost, the one that should be better first. Less is better.
struct ClaimSeen {
  Spread better, worse;
  double cost = 0;
  Verdict verdict = Verdict::kUnclear;
};

// Of quality: after as many pictures, as the papers compare, after as long, and after as many
// FLOPs, each as far as both arms have come; nothing where their curves do not meet.
struct QualityClaim {
  std::string text, published;
  Figure figure = Figure::kHeldOut;
  std::optional<ClaimSeen> after_images, after_seconds, after_flops;
};

// Of speed: pictures/s over those of the other arm.
struct SpeedClaim {
  std::string text, published;
  Spread ratio;
  Verdict verdict = Verdict::kUnclear;
};

// Those whose two arms are in the study; of each measured figure one.
std::vector<QualityClaim> quality_claims(const QualityReport& report);
std::vector<SpeedClaim> speed_claims(const QualityReport& report);

}  // namespace edt
