#include "launcher/quality/claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "launcher/bench/speedup_report.h"

namespace edt {
namespace {

struct Pair {
  std::string better, worse;  // keys of arms
  std::string text, published;
};
// arXiv 2410.23788 has the first four, 2401.08740 the last. The fourth is what the masked pass of
// EDT is there for; none of its comparisons leaves it out.
const std::array kPairs{Pair{"edt", "mdtv2", "EDT is better than MDTv2", ""},
                        Pair{"edt", "dit", "EDT is better than DiT", ""},
                        Pair{"mdtv2", "dit", "MDTv2 is better than DiT", ""},
                        Pair{"edt", "edt-unmasked", "EDT is better for its masked pass", ""},
                        Pair{"sit", "dit", "SiT is better than DiT", ""}};

// And what each addition is there for.
std::vector<Pair> pairs_of(const QualityReport& report) {
  std::vector<Pair> pairs(kPairs.begin(), kPairs.end());
  for (const QualityArm& arm : report.arms) {
    if (arm.base.empty()) continue;
    const auto base = arm_named(report, arm.base);
    if (!base) continue;
    pairs.push_back({arm.key, arm.base,
                     fmt::format("{} is better than {}", arm.label, report.arms[*base].label),
                     arm.published_gain});
  }
  return pairs;
}

// `a` should be the lower.
Verdict verdict_of(const Spread& a, const Spread& b) {
  if (std::min(a.count, b.count) < 2) return Verdict::kOneSeed;
  if (a.high < b.low) return Verdict::kSeen;
  return b.high < a.low ? Verdict::kReversed : Verdict::kUnclear;
}

std::optional<ClaimSeen> seen(const std::vector<const QualityRun*>& better,
                              const std::vector<const QualityRun*>& worse, Figure figure,
                              CostAxis axis) {
  const double cost = std::min(common_cost(better, axis), common_cost(worse, axis));
  const auto a = at_cost(better, figure, axis, cost), b = at_cost(worse, figure, axis, cost);
  if (!a || !b) return {};
  return ClaimSeen{*a, *b, cost, verdict_of(*a, *b)};
}

std::string published_fids(const QualityArm& better, const QualityArm& worse) {
  if (!better.published_fid || !worse.published_fid) return "";
  return fmt::format("FID {:.4g}, {:.4g}", *better.published_fid, *worse.published_fid);
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSeen:
      return "seen";
    case Verdict::kReversed:
      return "reversed";
    case Verdict::kUnclear:
      return "within seeds";
    case Verdict::kOneSeed:
      break;
  }
  return "one seed";
}

std::vector<QualityClaim> quality_claims(const QualityReport& report) {
  std::vector<QualityClaim> claims;
  for (const Pair& pair : pairs_of(report)) {
    const auto better = arm_named(report, pair.better), worse = arm_named(report, pair.worse);
    if (!better || !worse) continue;
    const auto a = runs_of(report, *better), b = runs_of(report, *worse);
    for (const Figure figure : {Figure::kHeldOut, Figure::kLatentDistance, Figure::kFid}) {
      QualityClaim claim{.text = pair.text,
                         .published = !pair.published.empty() ? pair.published
                                                              : published_fids(report.arms[*better],
                                                                               report.arms[*worse]),
                         .figure = figure,
                         .after_images = seen(a, b, figure, CostAxis::kImages),
                         .after_seconds = seen(a, b, figure, CostAxis::kSeconds),
                         .after_flops = seen(a, b, figure, CostAxis::kFlops)};
      if (claim.after_images || claim.after_seconds || claim.after_flops) {
        claims.push_back(std::move(claim));
      }
    }
  }
  return claims;
}

std::vector<SpeedClaim> speed_claims(const QualityReport& report) {
  const auto edt = arm_named(report, "edt"), mdt = arm_named(report, "mdtv2");
  if (!edt || !mdt) return {};
  const auto ratio = speed_ratio(runs_of(report, *edt), runs_of(report, *mdt));
  if (!ratio) return {};
  SpeedClaim claim{.text = "EDT trains faster than MDTv2", .published = {}, .ratio = *ratio};
  if (const auto paper = paper_speedup(published_size(report.options.arm.size))) {
    claim.published = fmt::format("{:.3g} times", paper->train);
  }
  // Of ratios more is better; one seed is enough, as speed does not depend on it.
  claim.verdict = ratio->low > 1    ? Verdict::kSeen
                  : ratio->high < 1 ? Verdict::kReversed
                                    : Verdict::kUnclear;
  return {claim};
}

}  // namespace edt
