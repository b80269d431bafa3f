// Arrays that an import puts beside the latents (features of the same pictures), sample by sample,
// whatever the files they lie in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/import/file_set.h"
#include "data/import/labels.h"
#include "data/provenance.h"
#include "data/sample_array.h"

namespace edt::data {

// As they are given: lists of NAME=VALUE.
struct FeatureOptions {
  std::vector<std::string> features;          // NAME=PATH, a file of arrays or a folder of them
  std::vector<std::string> flipped_features;  // NAME=PATH, likewise, of mirrored pictures
  std::vector<std::string> keys;              // NAME=KEY: name within .npz, .safetensors and HDF5
  h5::Type type = h5::Type::kFloat16;         // as they are stored

  bool any() const { return !features.empty(); }
};

// One that is asked for.
struct FeatureInput {
  std::string name;
  std::filesystem::path path, flipped_path;  // no flipped_path: beside the others, if at all
  std::string key;                           // empty: the name, or "features"
};

// By name. UsageError for what is no NAME=VALUE, a name that stands twice, or one that is not among
// the features.
std::vector<FeatureInput> parse_features(const FeatureOptions& options);

// What they go beside.
struct Beside {
  std::string label;  // for messages
  std::uint64_t samples = 0;
  bool flipped = false;                // there are mirrored copies
  const FileSet* files = nullptr;      // one for each sample; nullptr: they lie otherwise
  std::vector<std::string> row_names;  // where each sample has a name of its own
};

class FeatureSource {
 public:
  // UsageError or DataError naming file and both values: other counts, names or shapes than beside
  // them, no mirrored copies where there are some.
  FeatureSource(const FeatureInput& input, const Beside& beside, h5::Type type);
  ~FeatureSource();
  FeatureSource(FeatureSource&&) noexcept;

  const SampleArray& array() const { return array_; }
  // Appends one sample. In order is quickest. `label` is that of the latents: another one beside
  // the features, which then are in another order, is a DataError. So are NaN, infinity, values
  // beyond float16 where that is stored, and a sample that is zero everywhere.
  void read(std::uint64_t index, std::int64_t label, StoredSamples& out);
  // What is read and what tells that it is in the same order, for people.
  const std::string& summary() const { return summary_; }

 private:
  struct Part;
  void require_beside(const Part& first, const Beside& beside) const;
  std::string describe(const Part& first) const;
  std::unique_ptr<Part> open_part(std::uint64_t file) const;
  void count_samples(const Part& first, const Beside& beside);
  void check_part(const Part& part) const;
  void read_values(Array& array, std::uint64_t row, std::uint64_t index, StoredArray& out);

  FeatureInput input_;
  bool same_names_ = false;  // the files are named as those of the latents
  Files files_, flipped_files_;
  bool one_each_;                     // a file for each sample
  std::vector<std::uint64_t> begin_;  // first sample of each file, and the end, where it is not so
  SampleArray array_;
  std::string summary_;
  std::unique_ptr<Part> part_;
  std::vector<float> values_;
};

// All that are asked for, by name.
std::vector<FeatureSource> open_features(const FeatureOptions& options, const Beside& beside);
std::vector<SampleArray> arrays_of(const std::vector<FeatureSource>& sources);
// Replaces what `out` held by sample `index` of each.
void read_features(std::vector<FeatureSource>& sources, std::uint64_t index, std::int64_t label,
                   std::vector<StoredSamples>& out);
void add_features(Provenance& provenance, const FeatureOptions& options);

}  // namespace edt::data
