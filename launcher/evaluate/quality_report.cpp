#include "launcher/evaluate/quality_report.h"

#include <cmath>
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

// How figures are called and what they are of; keys are for scripts.
struct Words {
  std::string distance, distance_key;
  std::string kernel, kernel_key;
  std::string before, before_key;  // the names of the others
  int digits = 3;                  // of the distance
};
const Words& words_of(FeatureKind kind) {
  static const Words inception{"FID", "fid", "KID", "kid", "", "", 3},
      latents{"latent Frechet distance",
              "latent_frechet",
              "latent MMD",
              "latent_mmd",
              "latent ",
              "latent_",
              5},
      table{"Frechet distance", "frechet", "MMD", "mmd", "", "", 4};
  switch (kind) {
    case FeatureKind::kInception:
      return inception;
    case FeatureKind::kLatents:
      return latents;
    case FeatureKind::kTable:
      break;
  }
  return table;
}

std::string features_of(const FeatureSet& samples) {
  if (samples.latents) return samples.latents->text();
  return fmt::format("{} {}features", samples.pooled.width(), samples.is_table ? "" : "pooled ");
}

std::string features_text(const FeatureSet& samples) {
  if (samples.latents) {
    return fmt::format("features:  {} of {} x {} x {}\n", samples.latents->text(),
                       samples.latents->channels, samples.latents->height, samples.latents->width);
  }
  if (samples.is_table) {
    return fmt::format("features:  {} of each picture, as the files have them\n",
                       samples.pooled.width());
  }
  return fmt::format("network:   Inception {}, resized as {}\n", checksum_text(*samples.network),
                     name_of(*samples.resize));
}

nlohmann::ordered_json features_json(const FeatureSet& samples) {
  if (samples.latents) {
    const LatentFeatures& of = *samples.latents;
    return {{"latents", {of.channels, of.height, of.width}},
            {"square", of.square},
            {"features", of.count()}};
  }
  if (samples.is_table) return {{"features", samples.pooled.width()}};
  return {{"inception_checksum", checksum_text(*samples.network)},
          {"resize", name_of(*samples.resize)}};
}

}  // namespace

std::vector<std::pair<std::string, double>> figures_of(const Quality& quality) {
  std::vector<std::pair<std::string, double>> figures;
  const Words& words = words_of(quality.kind);
  const auto add = [&](const std::string& name, double value) {
    figures.emplace_back(words.before_key + name, value);
  };
  figures.emplace_back(words.distance_key, quality.distance.value());
  if (quality.spatial) add("sfid", quality.spatial->value());
  if (quality.score) add("inception_score", quality.score->mean);
  if (quality.shares) {
    add("precision", quality.shares->precision);
    add("recall", quality.shares->recall);
    add("density", quality.density->density);
    add("coverage", quality.density->coverage);
  }
  if (quality.kernel) figures.emplace_back(words.kernel_key, quality.kernel->mean);
  if (quality.gaussian) figures.emplace_back("cmmd", *quality.gaussian);
  return figures;
}

std::string quality_text(const Quality& quality, const QualityOrigin& origin) {
  const QualityOptions& options = origin.options;
  const Words& words = words_of(quality.kind);
  Table table({"figure", "value", "from"});
  const auto add = [&](const std::string& name, double value, int digits, const std::string& from) {
    const bool is_vast = std::abs(value) >= 1e7;
    table.add({name, is_vast ? fmt::format("{:.4g}", value) : fmt::format("{:.{}f}", value, digits),
               from});
  };
  add(words.distance, quality.distance.value(), words.digits, features_of(origin.samples));
  if (quality.spatial) add("sFID", quality.spatial->value(), 3, "2023 spatial features");
  if (quality.score) {
    add("Inception Score", quality.score->mean, 3,
        fmt::format("parts of {}, {:.3f} between them", options.score_part,
                    quality.score->deviation));
  }
  const std::int64_t kept = origin.reference.kept().count();
  if (quality.shares) {
    const std::string from =
        fmt::format("{} neighbours, {} of reference", options.neighbours, kept);
    add(words.before + "precision", quality.shares->precision, 4, from);
    add(words.before + "recall", quality.shares->recall, 4, from);
    const std::string density =
        fmt::format("{} neighbours, {} of reference", options.density_neighbours, kept);
    add(words.before + "density", quality.density->density, 4, density);
    add(words.before + "coverage", quality.density->coverage, 4, density);
  }
  if (quality.kernel) {
    add(words.kernel, quality.kernel->mean, 6,
        fmt::format("{} subsets of {}, {:.6f} between them", options.kernel_subsets,
                    options.kernel_size, quality.kernel->deviation));
  }
  if (quality.gaussian) {
    add("CMMD", *quality.gaussian, 4,
        fmt::format("sigma {}, {} of reference", options.gaussian_sigma, kept));
  }
  std::string text = table.text();
  text +=
      fmt::format("samples:   {}, {}\n", origin.samples.source, pictures_of(origin.samples.pooled));
  if (!origin.made_text.empty()) text += fmt::format("made:      {}\n", origin.made_text);
  text += fmt::format("reference: {}, {}\n", origin.reference.source,
                      pictures_of(origin.reference.pooled));
  text += features_text(origin.samples);
  for (const std::string& note : quality.notes) text += fmt::format("note: {}\n", note);
  return text;
}

std::string quality_json(const Quality& quality, const QualityOrigin& origin) {
  const QualityOptions& options = origin.options;
  const Words& words = words_of(quality.kind);
  const auto name = [&](const char* figure) { return words.before_key + figure; };
  nlohmann::ordered_json json;
  auto& distance = json[words.distance_key];
  distance = to_json(quality.distance);
  distance["reference_rank"] = quality.rank;
  if (quality.spatial) json["sfid"] = to_json(*quality.spatial);
  if (quality.score) {
    json["inception_score"] = {{"value", quality.score->mean},
                               {"deviation", quality.score->deviation},
                               {"part_size", options.score_part},
                               {"parts", quality.score->parts}};
  }
  if (quality.shares) {
    json[name("precision")] = quality.shares->precision;
    json[name("recall")] = quality.shares->recall;
    json["neighbours"] = options.neighbours;
    json[name("density")] = quality.density->density;
    json[name("coverage")] = quality.density->coverage;
    json["density_neighbours"] = options.density_neighbours;
  }
  if (quality.kernel) {
    json[words.kernel_key] = {{"value", quality.kernel->mean},
                              {"deviation", quality.kernel->deviation},
                              {"subsets", options.kernel_subsets},
                              {"subset_size", options.kernel_size},
                              {"seed", options.seed}};
  }
  if (quality.gaussian) {
    json["cmmd"] = {{"value", *quality.gaussian}, {"sigma", options.gaussian_sigma}};
  }
  json["samples"] = {{"source", origin.samples.source}, {"pictures", origin.samples.pooled.count}};
  if (origin.made != nullptr) json["samples"].update(*origin.made);
  json["reference"] = {{"source", origin.reference.source},
                       {"features_kept", origin.reference.kept().count()}};
  if (origin.reference.pooled.count > 0) {
    json["reference"]["pictures"] = origin.reference.pooled.count;
  }
  json[quality.kind == FeatureKind::kInception ? "network" : "features"] =
      features_json(origin.samples);
  json["notes"] = quality.notes;
  return dump_json(json, 2) + "\n";
}

}  // namespace edt
