// The windows of all sequences of an import in order, whatever the files they lie in.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/import/labels.h"
#include "data/import/layout.h"
#include "data/import/sequence_cuts.h"

namespace edt::data {

class SequenceSource {
 public:
  // Opens every file once. UsageError or DataError naming file and both values.
  explicit SequenceSource(const ImportOptions& options);
  ~SequenceSource();

  std::uint64_t size() const { return windows_.back(); }
  std::uint64_t channels() const { return channels_; }
  std::uint64_t frame_channels() const { return frame_channels_; }  // 0: no conditions
  std::uint64_t classes() const;  // that the labels say there are; 0: they do not
  const std::vector<std::string>& class_names() const { return files_.class_names; }
  // What is read, for people.
  std::string summary() const;
  // Of the window that was read last, for messages.
  std::string origin() const;
  std::string label_origin() const;

  // Values [length, channels] and conditions [length, frame_channels] of a window, and the label of
  // its sequence. In order is quickest. NaN, infinity, and a sequence that is the same value
  // everywhere it was never written are DataErrors.
  void read(std::uint64_t window, std::span<float> values, std::span<float> conditions,
            std::int64_t& label);

 private:
  struct Part;
  std::unique_ptr<Part> open_part(std::uint64_t file) const;
  void open_frames(Part& part, const ArrayFile& opened) const;
  void open_labels(Part& part, const ArrayFile& opened) const;
  void count_windows();
  void check_part(const Part& part, const Part& first) const;
  void read_sequence(std::uint64_t number);

  ImportOptions options_;
  SampleFiles files_;
  Files frame_files_;  // nullptr: conditions stand beside the sequences, if at all
  std::unique_ptr<LabelArray> all_labels_;
  std::uint64_t one_hot_classes_ = 0, channels_ = 0, frame_channels_ = 0, skipped_ = 0;
  std::uint64_t shortest_ = 0, longest_ = 0;        // frames
  std::vector<std::uint64_t> windows_, sequences_;  // first of each file, and the end
  std::unique_ptr<Part> part_;
};

}  // namespace edt::data
