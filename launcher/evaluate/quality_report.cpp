#include "launcher/evaluate/quality_report.h"

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/checksum.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

std::string pictures_of(const FeatureStatistics& statistics) {
  return statistics.count == 0 ? std::string("an unknown number of pictures")
                               : counted(static_cast<std::uint64_t>(statistics.count), "picture");
}

nlohmann::ordered_json to_json(const FrechetDistance& distance) {
  return {{"value", distance.value()},
          {"mean_term", distance.mean_term},
          {"trace_reference", distance.trace_a},
          {"trace_samples", distance.trace_b},
          {"trace_root", distance.trace_root}};
}

}  // namespace

std::string quality_text(const Quality& quality, const QualityOrigin& origin) {
  const QualityOptions& options = origin.options;
  Table table({"figure", "value", "from"});
  const auto add = [&](const char* name, double value, int digits, const std::string& from) {
    table.add({name, fmt::format("{:.{}f}", value, digits), from});
  };
  add("FID", quality.fid.value(), 3, "2048 pooled features");
  if (quality.sfid) add("sFID", quality.sfid->value(), 3, "2023 spatial features");
  add("Inception Score", quality.score.mean, 3,
      fmt::format("parts of {}, {:.3f} between them", options.score_part, quality.score.deviation));
  const std::int64_t kept = origin.reference.kept().count();
  if (quality.shares) {
    const std::string from =
        fmt::format("{} neighbours, {} of reference", options.neighbours, kept);
    add("precision", quality.shares->precision, 4, from);
    add("recall", quality.shares->recall, 4, from);
    const std::string density =
        fmt::format("{} neighbours, {} of reference", options.density_neighbours, kept);
    add("density", quality.density->density, 4, density);
    add("coverage", quality.density->coverage, 4, density);
  }
  if (quality.kernel) {
    add("KID", quality.kernel->mean, 6,
        fmt::format("{} subsets of {}, {:.6f} between them", options.kernel_subsets,
                    options.kernel_size, quality.kernel->deviation));
  }
  std::string text = table.text();
  text +=
      fmt::format("samples:   {}, {}\n", origin.samples.source, pictures_of(origin.samples.pooled));
  text += fmt::format("reference: {}, {}\n", origin.reference.source,
                      pictures_of(origin.reference.pooled));
  text += fmt::format("network:   Inception {}, resized as {}\n",
                      checksum_text(*origin.samples.network), name_of(*origin.samples.resize));
  for (const std::string& note : quality.notes) text += fmt::format("note: {}\n", note);
  return text;
}

std::string quality_json(const Quality& quality, const QualityOrigin& origin) {
  const QualityOptions& options = origin.options;
  nlohmann::ordered_json json{{"fid", to_json(quality.fid)}};
  json["fid"]["reference_rank"] = quality.fid_rank;
  if (quality.sfid) json["sfid"] = to_json(*quality.sfid);
  json["inception_score"] = {{"value", quality.score.mean},
                             {"deviation", quality.score.deviation},
                             {"part_size", options.score_part},
                             {"parts", quality.score.parts}};
  if (quality.shares) {
    json["precision"] = quality.shares->precision;
    json["recall"] = quality.shares->recall;
    json["neighbours"] = options.neighbours;
    json["density"] = quality.density->density;
    json["coverage"] = quality.density->coverage;
    json["density_neighbours"] = options.density_neighbours;
  }
  if (quality.kernel) {
    json["kid"] = {{"value", quality.kernel->mean},
                   {"deviation", quality.kernel->deviation},
                   {"subsets", options.kernel_subsets},
                   {"subset_size", options.kernel_size},
                   {"seed", options.seed}};
  }
  json["samples"] = {{"source", origin.samples.source}, {"pictures", origin.samples.pooled.count}};
  json["reference"] = {{"source", origin.reference.source},
                       {"features_kept", origin.reference.kept().count()}};
  if (origin.reference.pooled.count > 0) {
    json["reference"]["pictures"] = origin.reference.pooled.count;
  }
  json["network"] = {{"inception_checksum", checksum_text(*origin.samples.network)},
                     {"resize", name_of(*origin.samples.resize)}};
  json["notes"] = quality.notes;
  return dump_json(json, 2) + "\n";
}

}  // namespace edt
