// Where the samples of an import and their labels lie, told from what is there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/import/file_set.h"
#include "data/import/import.h"
#include "data/import/labels.h"

namespace edt::data {

// The files, and the labels that do not stand in arrays.
struct SampleFiles {
  Files latents;
  Files flipped;  // mirrored copies, named alike; nullptr: they stand beside the latents, if at all
  Files labels;   // named alike; nullptr: see below, or they stand beside the latents
  std::unique_ptr<Array> all_labels;      // of all samples
  std::vector<std::int64_t> file_labels;  // one for each file of latents
  bool unlabelled = false;                // none at all: every sample is of class 0
  std::string file_labels_from;           // for messages
  std::vector<std::string> class_names;   // of class folders
  std::string left_out;                   // a folder in that of the latents that holds arrays too
  std::string others;                     // files beside them that are not taken
  bool many = false;                      // a file of its own for each sample is possible
};

// UsageError or DataError that says what is there and what is missing.
SampleFiles find_sample_files(const ImportOptions& options);

// What the latents are, where kAuto leaves it to what is there.
ImportLayout layout_of(const ImportOptions& options);

}  // namespace edt::data
