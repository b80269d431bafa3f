// The samples of an import in order, whatever the files they lie in.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "data/import/layout.h"

namespace edt::data {

struct SampleShape {
  std::uint64_t channels = 0, height = 0, width = 0;
  std::uint64_t elements() const { return channels * height * width; }
  bool operator==(const SampleShape&) const = default;
};

class ImportSource {
 public:
  explicit ImportSource(const ImportOptions& options);
  ~ImportSource();

  std::uint64_t size() const { return begin_.empty() ? files_.latents->size() : begin_.back(); }
  const SampleShape& shape() const { return shape_; }  // of a stored sample
  bool has_flipped() const { return has_flipped_; }
  // The files, where each holds one sample; else nullptr.
  const FileSet* single_files() const { return begin_.empty() ? files_.latents.get() : nullptr; }
  // Names of the samples where one array gives them names; else none.
  std::vector<std::string> row_names() const;
  // What the labels say about the number of classes; 0: nothing.
  std::uint64_t classes() const;
  const std::vector<std::string>& class_names() const { return files_.class_names; }
  // Files behind links and sources of virtual data sets, of what was opened at the start.
  const std::set<std::filesystem::path>& other_files() const { return other_files_; }
  // What the first file says beside its arrays.
  const Remarks& remarks() const { return remarks_; }
  // What is read, for people.
  const std::string& summary() const { return summary_; }

  // Where the sample that was read last and its label come from, for messages.
  std::string origin() const;
  std::string label_origin() const;
  // Of what was read last: DataError where its file never had it.
  void require_written(std::span<const float> stored, std::span<const float> flipped,
                       std::uint64_t index) const;
  // In order is quickest. `flipped` is empty unless has_flipped().
  void read(std::uint64_t index, std::span<float> stored, std::span<float> flipped,
            std::int64_t& label);

 private:
  struct Part;
  std::unique_ptr<Part> open_part(std::uint64_t file) const;
  void open_arrays(Part& part, const ArrayFile& opened) const;
  void note_left_out(const Part& part) const;
  std::unique_ptr<Array> open_flipped(std::uint64_t file, const ArrayFile& beside,
                                      const std::string& latents_name) const;
  std::uint64_t samples_of(const Array& latents) const;
  void check_part(const Part& part) const;
  static void require_same_rows(const Array& latents, const Array& others);
  void note_other_files(const Array& array);
  void count_samples();
  std::string order_of_labels(const Part& part) const;
  void describe(const Part& part);

  ImportOptions options_;
  SampleFiles files_;
  std::vector<std::uint64_t> begin_;  // first sample of each file, and the end; empty: one in each
  std::unique_ptr<LabelArray> all_labels_;
  std::uint64_t one_hot_classes_ = 0;
  SampleShape shape_;
  bool has_flipped_ = false;
  std::set<std::filesystem::path> other_files_;
  std::string first_, summary_;
  Remarks remarks_;
  std::unique_ptr<Part> part_;
};

// The shape of samples in an array [N, C, H, W], or, where a sample may be alone, in [C, H, W].
SampleShape sample_shape(std::span<const std::uint64_t> array, bool single,
                         const std::string& label);

}  // namespace edt::data
