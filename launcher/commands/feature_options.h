// Options of commands that put arrays beside latents.
#pragma once

#include "core/options/options.h"
#include "data/import/features.h"

namespace edt {

void declare_features(OptionSet& options, data::FeatureOptions& features);
// UsageError for one that has no effect without --features.
void check_features(const OptionSet& options, const data::FeatureOptions& features);

}  // namespace edt
