#include "data/import/sequence_source.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/base/error.h"
#include "core/storage/half.h"
#include "core/storage/missing_path.h"
#include "data/sequence_arrays.h"

namespace edt::data {

namespace {

constexpr std::uint64_t kMostChannels = 1024, kMostConditions = 4096,
                        kMostFrames = std::uint64_t{1} << 24;

ArrayName values_name(const ImportOptions& options) {
  return {"--latents-key", options.latents_key, {"sequences", "samples", "motion"}};
}

// [N, T, F], or [T, F] of one.
void check_shape(const Array& array, std::uint64_t most_numbers = kMostChannels) {
  const Shape& shape = array.shape();
  const bool fits = shape.size() == 2 || shape.size() == 3;
  require<DataError>(fits, "import",
                     "{}: shape {}, sequences are [N, frames, numbers] or [frames, numbers]",
                     array.label(), h5::to_string(shape));
  require<DataError>(shape[0] >= 1 && shape.back() >= 1 && shape.back() <= most_numbers &&
                         shape[shape.size() - 2] >= 1 && shape[shape.size() - 2] <= kMostFrames,
                     "import", "{}: shape {}: 1 to {} numbers in each of 1 to {} frames",
                     array.label(), h5::to_string(shape), most_numbers, kMostFrames);
}

std::uint64_t count_of(const Array& array) { return array.shape().size() == 2 ? 1 : array.rows(); }

std::uint64_t frames_of(const Array& array) { return array.shape()[array.shape().size() - 2]; }

// How many of the frames of each sequence count, where that stands beside them.
std::vector<std::uint64_t> lengths_of(const ArrayFile& file, const ImportOptions& options,
                                      const Array& values) {
  const ArrayName name{"--lengths-key", options.sequences.lengths_key, {"lengths"}};
  if (!file.has_names() && name.said.empty()) return {frames_of(values)};
  const auto array = find_array(file, name, true);
  if (!array) return {frames_of(values)};
  const std::uint64_t count = count_of(values);
  require<DataError>(array->elements() == count, "import", "{}: {} lengths, {} has {} sequences",
                     array->label(), array->elements(), values.label(), count);
  std::vector<double> read(count);
  array->read(0, std::span(read));
  std::vector<std::uint64_t> lengths;
  for (std::size_t i = 0; i < read.size(); ++i) {
    const bool is_one = read[i] >= 1 && read[i] <= static_cast<double>(frames_of(values)) &&
                        read[i] == std::floor(read[i]);
    require<DataError>(is_one, "import", "{}: sequence {} has length {}, of {} frames",
                       array->label(), i, read[i], frames_of(values));
    lengths.push_back(static_cast<std::uint64_t>(read[i]));
  }
  return lengths;
}

Files find_frame_files(const ImportOptions& options, const FileSet& beside) {
  const std::filesystem::path& path = options.sequences.frames;
  if (path.empty()) return nullptr;
  std::error_code code;
  require<UsageError>(std::filesystem::exists(path, code), "import",
                      "--frames {}: there is no such file or folder{}", path.string(),
                      missing_path_hint(path));
  if (!std::filesystem::is_directory(path, code)) {
    require<UsageError>(beside.size() == 1, "import",
                        "--frames {} is a file, and {} holds {}: a folder of files named alike is "
                        "needed",
                        path.string(), options.latents.string(), beside.size());
    return one_file(path);
  }
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < beside.size(); ++i) {
    names.push_back(beside.name(i));
    require<DataError>(std::filesystem::exists(path / names.back(), code), "import",
                       "--frames {}: there is no {}, which {} has", path.string(), names.back(),
                       options.latents.string());
  }
  return named_files(path, std::move(names));
}

}  // namespace

// An opened file of sequences and what belongs to it.
struct SequenceSource::Part {
  std::uint64_t file = 0;
  std::unique_ptr<Array> values, frames;  // no frames: nullptr
  std::unique_ptr<LabelArray> labels;     // nullptr: they stand elsewhere
  std::vector<std::uint64_t> lengths;
  std::optional<SequenceCuts> cuts;
  std::optional<std::uint64_t> held;  // the sequence that lies in the buffers
  std::vector<float> held_values, held_frames;
};

SequenceSource::SequenceSource(const ImportOptions& options)
    : options_(options),
      files_(find_sample_files(options)),
      frame_files_(find_frame_files(options, *files_.latents)) {
  part_ = open_part(0);
  channels_ = part_->values->shape().back();
  frame_channels_ = part_->frames ? part_->frames->shape().back() : 0;
  count_windows();
  if (files_.all_labels) {
    all_labels_ = std::make_unique<LabelArray>(std::move(files_.all_labels), sequences_.back());
  }
  const LabelArray* labels = all_labels_ ? all_labels_.get() : part_->labels.get();
  if (labels != nullptr) one_hot_classes_ = labels->classes();
}

SequenceSource::~SequenceSource() = default;

std::uint64_t SequenceSource::classes() const {
  if (files_.unlabelled) return 1;
  return files_.class_names.empty() ? one_hot_classes_ : files_.class_names.size();
}

std::unique_ptr<SequenceSource::Part> SequenceSource::open_part(std::uint64_t file) const {
  auto part = std::make_unique<Part>();
  part->file = file;
  const auto opened = files_.latents->open(file);
  part->values = find_array(*opened, values_name(options_), false);
  check_shape(*part->values);
  part->lengths = lengths_of(*opened, options_, *part->values);
  part->cuts.emplace(options_.sequences, count_of(*part->values), part->lengths,
                     part->values->label());
  open_frames(*part, *opened);
  open_labels(*part, *opened);
  return part;
}

void SequenceSource::open_frames(Part& part, const ArrayFile& opened) const {
  const ArrayName name{"--frames-key", options_.sequences.frames_key, {kFramesName, "conditions"}};
  if (frame_files_) {
    part.frames = find_array(*frame_files_->open(part.file), name, false);
  } else if (opened.has_names() || !name.said.empty()) {
    part.frames = find_array(opened, name, true);
  }
  if (!part.frames) return;
  check_shape(*part.frames, kMostConditions);
  Shape of_frames = part.frames->shape(), of_values = part.values->shape();
  of_frames.pop_back();
  of_values.pop_back();
  require<DataError>(of_frames == of_values, "import",
                     "{}: shape {}, {} has {}: a condition of each frame is needed",
                     part.frames->label(), h5::to_string(part.frames->shape()),
                     part.values->label(), h5::to_string(part.values->shape()));
}

void SequenceSource::open_labels(Part& part, const ArrayFile& opened) const {
  const bool elsewhere = files_.all_labels || all_labels_ || !files_.file_labels.empty();
  if (elsewhere || files_.unlabelled) return;
  const ArrayName name{"--labels-key", options_.labels_key, {"labels", "label"}};
  const auto beside = files_.labels ? files_.labels->open(part.file) : nullptr;
  require<UsageError>(beside != nullptr || opened.has_names(), "import",
                      "{}: --labels is needed, or --unlabelled", opened.path().string());
  part.labels = std::make_unique<LabelArray>(find_array(beside ? *beside : opened, name, false),
                                             count_of(*part.values));
}

void SequenceSource::count_windows() {
  windows_ = sequences_ = {0};
  for (std::uint64_t i = 0; i < files_.latents->size(); ++i) {
    const auto other = i == 0 ? nullptr : open_part(i);
    const Part& part = other ? *other : *part_;
    check_part(part, *part_);
    windows_.push_back(windows_.back() + part.cuts->windows());
    sequences_.push_back(sequences_.back() + count_of(*part.values));
    skipped_ += part.cuts->skipped();
    const auto [shortest, longest] = std::ranges::minmax(part.lengths);
    shortest_ = i == 0 ? shortest : std::min(shortest_, shortest);
    longest_ = std::max(longest_, longest);
  }
  require<DataError>(size() >= 1, "import", "{}: none of its {} sequences has {} frames, --length",
                     options_.latents.string(), sequences_.back(), options_.sequences.length);
}

void SequenceSource::check_part(const Part& part, const Part& first) const {
  const auto require_same = [&](const Array& array, const Array& of_first, std::uint64_t numbers) {
    require<DataError>(array.shape().back() == numbers, "import",
                       "{}: frames of {} numbers, those of {} have {}", array.label(),
                       array.shape().back(), of_first.label(), numbers);
  };
  require_same(*part.values, *first.values, channels_);
  require<DataError>((part.frames != nullptr) == (first.frames != nullptr), "import",
                     "{}: {} conditions of its frames beside it, unlike {}", part.values->label(),
                     part.frames ? "has" : "lacks", first.values->label());
  if (part.frames) require_same(*part.frames, *first.frames, frame_channels_);
  require<DataError>(
      files_.file_labels.empty() || !files_.class_names.empty() || count_of(*part.values) == 1,
      "import", "{}: {} sequences, {} has one label for them", part.values->label(),
      count_of(*part.values), files_.file_labels_from);
}

std::string SequenceSource::summary() const {
  const std::string frames = part_->frames
                                 ? fmt::format("; conditions {} {}", part_->frames->label(),
                                               h5::to_string(part_->frames->shape()))
                                 : std::string();
  return fmt::format("{} sequences of {} to {} frames, {} {}; {} windows of {}{}{}; labels {}",
                     sequences_.back(), shortest_, longest_, part_->values->label(),
                     h5::to_string(part_->values->shape()), size(), options_.sequences.length,
                     skipped_ > 0 ? fmt::format(", {} too short", skipped_) : "", frames,
                     label_origin());
}

std::string SequenceSource::origin() const { return part_->values->label(); }

std::string SequenceSource::label_origin() const {
  if (all_labels_) return all_labels_->label();
  return part_->labels ? part_->labels->label() : files_.file_labels_from;
}

// All of it: windows overlap, and going back in a compressed file is slow.
void SequenceSource::read_sequence(std::uint64_t number) {
  Part& part = *part_;
  if (part.held == number) return;
  const bool alone = part.values->shape().size() == 2;
  const auto fill = [&](Array& array, std::vector<float>& out) {
    out.resize(frames_of(array) * array.shape().back());
    array.read(alone ? 0 : number, std::span(out));
    const std::uint64_t counts =
        part.lengths.size() > 1 ? part.lengths[number] : part.lengths.front();
    const auto used = std::span<const float>(out).first(counts * array.shape().back());
    require<DataError>(all_finite(used), "import", "{}: sequence {} contains NaN or infinity",
                       array.label(), number);
  };
  fill(*part.values, part.held_values);
  part.values->require_written(part.held_values, number, "import", "sequence");
  if (part.frames) fill(*part.frames, part.held_frames);
  part.held = number;
}

void SequenceSource::read(std::uint64_t window, std::span<float> values,
                          std::span<float> conditions, std::int64_t& label) {
  const auto next = std::ranges::upper_bound(windows_, window);
  const auto file = static_cast<std::uint64_t>(next - windows_.begin()) - 1;
  if (part_->file != file) part_ = open_part(file);
  const SequenceCuts::Window at = (*part_->cuts)[window - windows_[file]];
  read_sequence(at.sequence);
  std::copy_n(part_->held_values.begin() + static_cast<std::ptrdiff_t>(at.start * channels_),
              values.size(), values.begin());
  if (!conditions.empty()) {
    std::copy_n(
        part_->held_frames.begin() + static_cast<std::ptrdiff_t>(at.start * frame_channels_),
        conditions.size(), conditions.begin());
  }
  if (files_.unlabelled) {
    label = 0;
  } else if (all_labels_) {
    label = all_labels_->read(sequences_[file] + at.sequence);
  } else {
    label = part_->labels ? part_->labels->read(at.sequence) : files_.file_labels[file];
  }
}

}  // namespace edt::data
