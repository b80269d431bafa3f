#include "data/import/source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/base/log.h"
#include "data/fingerprint.h"

namespace edt::data {

// An opened file of latents and what belongs to it.
struct ImportSource::Part {
  std::uint64_t file = 0, samples = 0;
  std::unique_ptr<Array> latents, flipped;
  std::unique_ptr<LabelArray> labels;  // nullptr: they stand elsewhere
  Remarks remarks;                     // of the first
  std::vector<std::string> left_out;   // arrays beside them that are not taken, of the first
};

namespace {

// "latents" of "latents [12, 4, 8, 8]", "train" of "train/ of 12 objects".
std::string name_in_list(const std::string& entry) {
  return entry.substr(0, std::min(entry.find(" ["), entry.find("/ of ")));
}

bool is_remark(const std::string& name) {
  for (std::size_t topic = 0; topic < kTopics; ++topic) {
    const auto names = names_of(static_cast<Topic>(topic));
    if (std::ranges::find(names, name) != names.end()) return true;
  }
  return false;
}

// `taken`: nullptr for what there is none of.
std::vector<std::string> others_in(const ArrayFile& file, std::vector<const Array*> taken) {
  std::vector<std::string> others;
  for (const std::string& entry : file.list()) {
    const std::string name = name_in_list(entry);
    if (name.starts_with("*@")) continue;
    const bool is_taken = std::ranges::any_of(taken, [&](const Array* array) {
      if (array == nullptr) return false;
      const std::string& label = array->label();
      return label.ends_with(":" + name) || label.ends_with(":/" + name) ||
             label.find(":/" + name + "/") != label.npos;
    });
    if (!is_taken && !is_remark(name)) others.push_back(entry);
  }
  return others;
}

}  // namespace

SampleShape sample_shape(std::span<const std::uint64_t> array, bool single,
                         const std::string& label) {
  constexpr std::uint64_t kLargest = 1 << 26;
  const std::string text = h5::to_string({array.begin(), array.end()});
  require<DataError>(array.size() == 4 || (single && array.size() == 3), "import",
                     "{}: shape {}, expected {}", label, text,
                     single ? "[N, C, H, W] or [C, H, W]" : "[N, C, H, W]");
  const auto sample = array.last(3);
  std::uint64_t elements = 1;
  for (std::uint64_t n : sample) {
    require<DataError>(n >= 1 && n <= kLargest / elements, "import", "{}: samples of shape {}",
                       label, text);
    elements *= n;
  }
  constexpr std::uint64_t kFewest = 8;
  const bool channels_last =
      sample[0] >= kFewest && sample[0] == sample[1] && sample[2] < sample[1];
  require<DataError>(!channels_last, "import",
                     "{}: shape {} looks like [N, H, W, C], expected [N, C, H, W]: save it as "
                     "numpy.moveaxis(x, -1, -3)",
                     label, text);
  return {sample[0], sample[1], sample[2]};
}

ImportSource::ImportSource(const ImportOptions& options)
    : options_(options), files_(find_sample_files(options)) {
  auto first = open_part(0);
  shape_ = sample_shape(first->latents->shape(), files_.many, first->latents->label());
  first_ = first->latents->label();
  has_flipped_ = first->flipped != nullptr;
  const bool single = files_.latents->size() > 1 && first->samples == 1;
  if (!single) count_samples();
  if (files_.all_labels) {
    all_labels_ = std::make_unique<LabelArray>(std::move(files_.all_labels), size());
  }
  const LabelArray* labels = all_labels_ ? all_labels_.get() : first->labels.get();
  if (labels) one_hot_classes_ = labels->classes();
  check_part(*first);
  describe(*first);
  remarks_ = std::move(first->remarks);
  note_left_out(*first);
  part_ = std::move(first);
  if (!files_.others.empty()) {
    log::info("{}: also holds other files, {}: not taken", options_.latents.string(),
              files_.others);
  }
  if (files_.left_out.empty()) return;
  log::warning("{}: the folder {} in it holds arrays too, which are left out",
               options_.latents.string(), files_.left_out);
}

ImportSource::~ImportSource() = default;

std::uint64_t ImportSource::classes() const {
  if (files_.unlabelled) return 1;
  return files_.class_names.empty() ? one_hot_classes_ : files_.class_names.size();
}

std::uint64_t ImportSource::samples_of(const Array& latents) const {
  (void)sample_shape(latents.shape(), files_.many, latents.label());
  const std::uint64_t samples = latents.shape().size() == 3 ? 1 : latents.rows();
  require<DataError>(samples > 0, "import", "{}: shape {}: there are no samples in it",
                     latents.label(), h5::to_string(latents.shape()));
  return samples;
}

// Labels or mirrored copies whose rows have names must be of the same samples.
void ImportSource::require_same_rows(const Array& latents, const Array& others) {
  const auto names = latents.row_names(), other_names = others.row_names();
  if (names.empty() || other_names.empty() || names == other_names) return;
  const auto [a, b] =
      std::mismatch(names.begin(), names.end(), other_names.begin(), other_names.end());
  fail<DataError>("import", "{} and {} do not pair: sample {} is {} and {}", latents.label(),
                  others.label(), a - names.begin(), a == names.end() ? "not there" : *a,
                  b == other_names.end() ? "not there" : *b);
}

void ImportSource::note_other_files(const Array& array) {
  for (const auto& file : array.other_files()) other_files_.insert(file);
}

// Files of several samples each: all are opened once.
void ImportSource::count_samples() {
  begin_ = {0};
  std::vector<std::filesystem::path> paths;
  for (std::uint64_t i = 0; i < files_.latents->size(); ++i) {
    const auto file = files_.latents->open(i);
    std::error_code code;  // a member of an archive is no file
    if (std::filesystem::is_regular_file(file->path(), code)) paths.push_back(file->path());
    const auto latents =
        find_array(*file, {"--latents-key", options_.latents_key, {"latents", "moments"}}, false);
    begin_.push_back(begin_.back() + samples_of(*latents));
    note_other_files(*latents);
  }
  require_no_copies(paths, "import");
}

std::unique_ptr<Array> ImportSource::open_flipped(std::uint64_t file, const ArrayFile& beside,
                                                  const std::string& latents_name) const {
  ArrayName name{"--flipped-key", options_.flipped_key, flipped_names(latents_name)};
  name.usual.emplace_back("flipped");
  if (files_.flipped) {
    const auto copies = files_.flipped->open(file);
    if (copies->has_names()) name.usual.insert(name.usual.begin(), latents_name);
    return find_array(*copies, name, false);
  }
  if (!beside.has_names() && options_.flipped_key.empty()) return nullptr;
  require<UsageError>(options_.flipped_key != latents_name, "import",
                      "--flipped-key {} are the latents themselves", latents_name);
  return find_array(beside, name, true);
}

std::unique_ptr<ImportSource::Part> ImportSource::open_part(std::uint64_t file) const {
  auto part = std::make_unique<Part>();
  part->file = file;
  const auto opened = files_.latents->open(file);
  open_arrays(*part, *opened);
  // Of groups with one data set for each sample the names are those of samples.
  if (file == 0 && part->latents->row_names().empty()) {
    part->left_out = others_in(
        *opened, {part->latents.get(), part->flipped.get(),
                  part->labels ? &part->labels->array() : nullptr, files_.all_labels.get()});
  }
  return part;
}

void ImportSource::open_arrays(Part& part, const ArrayFile& opened) const {
  std::string name;
  part.latents = find_array(opened, {"--latents-key", options_.latents_key, {"latents", "moments"}},
                            false, &name);
  part.samples = samples_of(*part.latents);
  if (part.file == 0) part.remarks = Remarks(opened, name);
  part.flipped = open_flipped(part.file, opened, name);
  const bool elsewhere = files_.all_labels || all_labels_ || !files_.file_labels.empty();
  if (elsewhere || files_.unlabelled) return;
  const ArrayName labels{"--labels-key", options_.labels_key, {"labels", "label"}};
  if (files_.labels) {
    const auto beside = files_.labels->open(part.file);
    part.labels = std::make_unique<LabelArray>(find_array(*beside, labels, false), part.samples);
    return;
  }
  require<UsageError>(opened.has_names(), "import", "{}: --labels is needed, or --unlabelled: a {}",
                      opened.path().string(),
                      files_.many ? "folder of .npy files named alike, one array of all labels, or "
                                    "a .json"
                                  : "file of labels");
  part.labels = std::make_unique<LabelArray>(find_array(opened, labels, false), part.samples);
}

void ImportSource::check_part(const Part& part) const {
  const Array& latents = *part.latents;
  const SampleShape shape = sample_shape(latents.shape(), files_.many, latents.label());
  require<DataError>(shape == shape_, "import", "{}: shape {}, but {} has samples of [{}, {}, {}]",
                     latents.label(), h5::to_string(latents.shape()), first_, shape_.channels,
                     shape_.height, shape_.width);
  const std::uint64_t expected = begin_.empty() ? 1 : begin_[part.file + 1] - begin_[part.file];
  require<DataError>(part.samples == expected, "import", "{}: {} samples, but {} has one",
                     latents.label(), part.samples, first_);
  require<DataError>(files_.file_labels.empty() || !files_.class_names.empty() || expected == 1,
                     "import", "{}: {} samples, {} has one label for them", latents.label(),
                     expected, files_.file_labels_from);
  if (part.labels) require_same_rows(latents, part.labels->array());
  if (part.flipped) require_same_rows(latents, *part.flipped);
  require<DataError>(has_flipped_ == (part.flipped != nullptr), "import",
                     "{}: {} a mirrored copy beside it, unlike {}", latents.label(),
                     part.flipped ? "has" : "lacks", first_);
  require<DataError>(!part.flipped || part.flipped->shape() == latents.shape(), "import",
                     "{}: shape {}, but {} has {}", part.flipped ? part.flipped->label() : "",
                     part.flipped ? h5::to_string(part.flipped->shape()) : "", latents.label(),
                     h5::to_string(latents.shape()));
}

// Labels that stand elsewhere too may be others than those that are taken.
void ImportSource::note_left_out(const Part& part) const {
  const bool others_are_taken = options_.features.any() || options_.text.any();
  if (part.left_out.empty() || others_are_taken) return;
  const bool has_labels = std::ranges::any_of(part.left_out, [](const std::string& entry) {
    const std::string name = name_in_list(entry);
    return name == "labels" || name == "label";
  });
  const std::string text = fmt::format("{}: beside it the file holds {}: not taken", first_,
                                       fmt::join(part.left_out, ", "));
  has_labels ? log::warning("{}", text) : log::info("{}", text);
}

namespace {

// The first two neighbours that the letters of their names would have the other way round.
template <class NameOf>
std::optional<std::pair<std::string, std::string>> disputed_pair(std::uint64_t size,
                                                                 NameOf name_of) {
  std::string before;
  for (std::uint64_t i = 0; i < size; ++i) {
    std::string name = name_of(i);
    if (i > 0 && name < before) return std::pair(before, name);
    before = std::move(name);
  }
  return std::nullopt;
}

bool counts(const std::string& file) {
  const std::string stem = std::filesystem::path(file).stem().string();
  return std::ranges::all_of(stem, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

// An array of all labels says nothing of the names: whoever wrote it may have listed the files in
// the order of letters. Names that are numbers are places in the array.
std::string ImportSource::order_of_labels(const Part& part) const {
  const LabelArray* labels = all_labels_ ? all_labels_.get() : part.labels.get();
  if (labels == nullptr || !labels->array().row_names().empty()) return "";
  if (!all_labels_ && files_.many) return "";  // each file has its own
  const std::vector<std::string> rows = part.latents->row_names();
  const auto pair = rows.empty()
                        ? disputed_pair(files_.latents->size(),
                                        [&](std::uint64_t i) { return files_.latents->name(i); })
                        : disputed_pair(rows.size(), [&](std::uint64_t i) { return rows[i]; });
  if (!pair) return "";
  const auto& [first, second] = *pair;
  if (!counts(first)) {
    log::warning(
        "{}: its labels are taken in the order of the numbers in names, {} before {}; in that of "
        "letters {} comes first: is that how they were written?",
        labels->label(), first, second, second);
  }
  return fmt::format(", {} before {}", first, second);
}

void ImportSource::describe(const Part& part) {
  const LabelArray* labels = all_labels_ ? all_labels_.get() : part.labels.get();
  for (const Array* array : std::initializer_list<const Array*>{
           part.latents.get(), part.flipped.get(), labels ? &labels->array() : nullptr}) {
    if (array != nullptr) note_other_files(*array);
  }
  const std::string from =
      labels ? fmt::format("{} {}{}", labels->label(), labels->type(),
                           labels->classes() > 0 ? " one-hot" : "")
             : fmt::format("{}{}", files_.file_labels_from,
                           files_.class_names.empty() ? "" : ", a folder for each class");
  const std::string order = order_of_labels(part);
  summary_ =
      fmt::format("{} samples; latents {} {} {}; labels {}{}; {}", size(), part.latents->label(),
                  h5::to_string(part.latents->shape()), part.latents->type(), from, order,
                  part.flipped ? "mirrored copies " + part.flipped->label() : "no mirrored copies");
}

std::vector<std::string> ImportSource::row_names() const { return part_->latents->row_names(); }

std::string ImportSource::origin() const { return part_->latents->label(); }

std::string ImportSource::label_origin() const {
  if (all_labels_) return all_labels_->label();
  return part_->labels ? part_->labels->label() : files_.file_labels_from;
}

void ImportSource::require_written(std::span<const float> stored, std::span<const float> flipped,
                                   std::uint64_t index) const {
  part_->latents->require_written(stored, index, "import");
  if (has_flipped_) {
    part_->flipped->require_written(flipped, index, "import", "the mirrored copy of sample");
  }
}

void ImportSource::read(std::uint64_t index, std::span<float> stored, std::span<float> flipped,
                        std::int64_t& label) {
  const std::uint64_t file =
      begin_.empty() ? index
                     : static_cast<std::uint64_t>(
                           std::upper_bound(begin_.begin(), begin_.end(), index) - begin_.begin()) -
                           1;
  if (part_->file != file) {
    part_ = open_part(file);
    check_part(*part_);
  }
  const std::uint64_t sample = begin_.empty() ? 0 : index - begin_[file];
  // A sample that is alone is C rows of [C, H, W].
  part_->latents->read(sample, stored);
  if (has_flipped_) part_->flipped->read(sample, flipped);
  if (files_.unlabelled) {
    label = 0;
  } else if (all_labels_) {
    label = all_labels_->read(index);
  } else {
    label = part_->labels ? part_->labels->read(sample) : files_.file_labels[file];
  }
}

}  // namespace edt::data
