// Options of commands that put texts beside latents.
#pragma once

#include "core/options/options.h"
#include "data/import/texts.h"

namespace edt {

void declare_texts(OptionSet& options, data::TextOptions& texts);
// UsageError for one that has no effect without --text.
void check_texts(const OptionSet& options, const data::TextOptions& texts);

}  // namespace edt
