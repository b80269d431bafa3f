// Figures of quality for people and for scripts, each with what it depends on.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "launcher/evaluate/quality.h"

namespace edt {

// How the figures came about.
struct QualityOrigin {
  const FeatureSet& reference;
  const FeatureSet& samples;
  const QualityOptions& options;
  // Of samples that were made to be judged: all that they depend on, and a line of it for people.
  const nlohmann::ordered_json* made = nullptr;
  std::string made_text;
};

// By the names that metrics and scripts know: "fid", "precision", ...; of latents
// "latent_frechet", and the rest with "latent_" before it; of tables "frechet" and "cmmd".
std::vector<std::pair<std::string, double>> figures_of(const Quality& quality);

std::string quality_text(const Quality& quality, const QualityOrigin& origin);
std::string quality_json(const Quality& quality, const QualityOrigin& origin);

}  // namespace edt
