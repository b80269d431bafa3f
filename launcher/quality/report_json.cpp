// The figures of a study for scripts.
#include <array>
#include <nlohmann/json.hpp>

#include "launcher/quality/claims.h"
#include "launcher/quality/figure_names.h"
#include "launcher/quality/gains.h"
#include "launcher/quality/report.h"
#include "launcher/quality/spread.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;

Json seen_json(const std::optional<ClaimSeen>& seen) {
  if (!seen) return nullptr;
  return {{"at", seen->cost},
          {"better", spread_json(seen->better)},
          {"worse", spread_json(seen->worse)},
          {"verdict", name_of(seen->verdict)}};
}

Json claims_json(const QualityReport& report) {
  Json all = Json::array();
  for (const SpeedClaim& claim : speed_claims(report)) {
    all.push_back({{"claim", claim.text},
                   {"published", claim.published},
                   {"by", "images_per_s"},
                   {"times", spread_json(claim.ratio)},
                   {"verdict", name_of(claim.verdict)}});
  }
  for (const QualityClaim& claim : quality_claims(report)) {
    all.push_back({{"claim", claim.text},
                   {"published", claim.published},
                   {"by", naming(claim.figure).key},
                   {"equal_images", seen_json(claim.after_images)},
                   {"equal_seconds", seen_json(claim.after_seconds)},
                   {"equal_flops", seen_json(claim.after_flops)}});
  }
  return all;
}

Json gained_json(const Reaching& reaching) {
  return {{"to_reach", spread_json(reaching.cost)},
          {"ratio", spread_json(reaching.ratio)},
          {"verdict", gain_name(reaching.ratio)}};
}

Json gains_json(const QualityReport& report) {
  Json all = Json::array();
  for (const AdditionGain& gain : addition_gains(report)) {
    all.push_back({{"arm", report.arms[gain.arm].key},
                   {"without", report.arms[gain.base].key},
                   {"by", naming(gain.figure).key},
                   {"level", gain.level},
                   {"images", gained_json(gain.images)},
                   {"seconds", gained_json(gain.seconds)},
                   {"flops", gained_json(gain.flops)}});
  }
  return all;
}

}  // namespace

nlohmann::ordered_json quality_study_json(const QualityReport& report) {
  Json json{{"machine", report.machine},
            {"command", report.command},
            {"base", report.arms[base_arm(report)].key}};
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    Json one{{"label", report.arms[arm].label}, {"arguments", report.arms[arm].arguments}};
    one["published_fid"] =
        report.arms[arm].published_fid ? Json(*report.arms[arm].published_fid) : Json(nullptr);
    Json seeds = Json::array();
    for (const QualityRun* run : runs_of(report, arm)) {
      Json points = Json::array();
      for (const QualityPoint& point : run->points) {
        Json values{{"step", point.cost.steps},
                    {"seconds", point.cost.seconds},
                    {"flops", point.cost.flops},
                    {"images", point.images},
                    {"trained_error", point.quality.trained}};
        for (const FigureName& figure : kFigures) {
          const auto value = value_of(figure.figure, point);
          values[figure.key] = value ? Json(*value) : Json(nullptr);
        }
        points.push_back(std::move(values));
      }
      seeds.push_back({{"seed", run->task.seed}, {"points", points}});
    }
    one["runs"] = seeds;
    for (const FigureName& figure : kFigures) {
      const auto level = level_of(report, figure.figure);
      if (!level) continue;
      Json& at = one["figures"][figure.key];
      at["level"] = *level;
      for (const CostAxis axis : {CostAxis::kSeconds, CostAxis::kFlops}) {
        const char* key = axis == CostAxis::kSeconds ? "seconds" : "flops";
        const Reaching reaching = reach(report, arm, base_arm(report), figure.figure, axis, *level);
        at[key] = {{"to_reach", spread_json(reaching.cost)},
                   {"ratio", spread_json(reaching.ratio)},
                   {"at_equal", spread_json(at_cost(runs_of(report, arm), figure.figure, axis,
                                                    common_cost(report, axis)))}};
      }
    }
    json["arms"][report.arms[arm].key] = std::move(one);
  }
  json["claims"] = claims_json(report);
  json["additions"] = gains_json(report);
  return json;
}

std::string quality_study_csv(const QualityReport& report) {
  std::string text =
      "arm,seed,step,seconds,flops,images,held_out_error,trained_error,latent_distance,fid\n";
  for (const QualityRun& run : report.runs) {
    for (const QualityPoint& p : run.points) {
      text += fmt::format("{},{},{},{},{},{},{},{},{},{}\n", report.arms[run.task.arm].key,
                          run.task.seed, p.cost.steps, p.cost.seconds, p.cost.flops, p.images,
                          p.quality.held_out, p.quality.trained, p.quality.latent_distance,
                          p.quality.fid ? fmt::format("{}", *p.quality.fid) : "");
    }
  }
  return text;
}

}  // namespace edt
