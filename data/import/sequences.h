// Turns sequences of any lengths, [N, T, F] or one [T, F] in each file, into shards of sequences of
// one length.
#pragma once

#include "data/import/import.h"

namespace edt::data {

// `options.sequences` says how they are cut. What is known of the latents of pictures (scale,
// moments, mirrored copies, features) does not count. Memory holds one sequence at a time. As
// import_data() otherwise, which calls it.
WriteReport import_sequences(const ImportOptions& options, const Progress& progress = {});

}  // namespace edt::data
