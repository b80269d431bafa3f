// Figures of quality for people and for scripts, each with what it depends on.
#pragma once

#include <string>

#include "launcher/evaluate/quality.h"

namespace edt {

// How the figures came about.
struct QualityOrigin {
  const FeatureSet& reference;
  const FeatureSet& samples;
  const QualityOptions& options;
};

std::string quality_text(const Quality& quality, const QualityOrigin& origin);
std::string quality_json(const Quality& quality, const QualityOrigin& origin);

}  // namespace edt
