#include "data/import/texts.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/storage/file_kind.h"
#include "data/import/half_range.h"

namespace edt::data {

namespace fs = std::filesystem;

// An opened file of features.
struct TextSource::Part {
  std::uint64_t file = 0;
  std::unique_ptr<Array> text, lengths;  // no lengths: they are not in it
  std::vector<std::uint64_t> begin;      // first token of each text, and the end; empty: padded
  std::uint64_t texts = 0, room = 0;     // room: tokens of each that is padded
  bool rows_are_tokens = false;
  std::string null_name, encoder;
};

namespace {

// Numbers of an array that has to hold one for each of something.
std::vector<std::uint64_t> whole_numbers(Array& array, std::uint64_t expected, const char* what) {
  require<DataError>(array.elements() == expected, "import", "{}: shape {}, expected {} {}",
                     array.label(), h5::to_string(array.shape()), expected, what);
  std::vector<double> values(expected);
  array.read(0, std::span(values));
  std::vector<std::uint64_t> numbers;
  for (const double value : values) {
    constexpr double kMost = 9007199254740992;
    require<DataError>(value >= 0 && value <= kMost && value == std::trunc(value), "import",
                       "{}: value {} is {}, a whole number is needed", array.label(),
                       numbers.size(), value);
    numbers.push_back(static_cast<std::uint64_t>(value));
  }
  return numbers;
}

std::uint32_t checked_length(std::uint64_t tokens, std::uint64_t room, std::uint64_t text,
                             const std::string& label) {
  require<DataError>(tokens >= 1 && tokens <= std::min(room, kMostTextTokens), "import",
                     "{}: text {} has {} tokens, 1 to {} are possible", label, text, tokens,
                     std::min(room, kMostTextTokens));
  return static_cast<std::uint32_t>(tokens);
}

// Where texts begin, and where the last one ends.
void check_begin(const std::vector<std::uint64_t>& begin, const Array& of, const Array& text) {
  require<DataError>(begin.size() >= 2, "import", "{}: {} values, one more than texts are needed",
                     of.label(), begin.size());
  require<DataError>(begin[0] == 0, "import", "{}: value 0 is {}, the first text begins at 0",
                     of.label(), begin[0]);
  const auto falls = std::ranges::is_sorted_until(begin);
  require<DataError>(falls == begin.end(), "import", "{}: value {} is {}, below {} before it",
                     of.label(), falls - begin.begin(), *falls, *std::prev(falls));
  require<DataError>(begin.back() == text.rows(), "import",
                     "{}: the last text ends at {}, {} has "
                     "{} tokens",
                     of.label(), begin.back(), text.label(), text.rows());
}

bool is_hdf5(const fs::path& path) {
  std::error_code code;
  if (!fs::is_regular_file(path, code)) return false;
  const FileKind kind = kind_of_file(path);
  return kind == FileKind::kHdf5 || kind == FileKind::kShard;
}

// All or none of them.
std::vector<fs::path> files_with_captions(const FileSet& files) {
  const auto has = [](const fs::path& path) {
    return is_hdf5(path) && h5::File::open(path).has(kCaptionsName);
  };
  std::vector<fs::path> found;
  if (!has(files.origin(0))) return found;
  for (std::uint64_t file = 0; file < files.size(); ++file) {
    found.emplace_back(files.origin(file));
    require<DataError>(has(found.back()), "import", "{}: has no '{}', {} has",
                       found.back().string(), kCaptionsName, found.front().string());
  }
  return found;
}

}  // namespace

TextSource::TextSource(const TextOptions& options, const Beside& beside)
    : options_(options),
      files_(files_beside(options.text, beside.files, "--text")),
      one_each_(files_->size() > 1 && files_->size() == beside.samples) {
  part_ = open_part(0);
  description_.channels = part_->text->shape().back();
  count_texts(beside);
  if (!options_.lengths.empty()) take_given_lengths();
  read_null_text();
  description_.tokens =
      std::max<std::uint64_t>(std::ranges::max(lengths_), description_.null_tokens());
  description_.encoder = options_.encoder.empty() ? part_->encoder : options_.encoder;
  find_captions(beside);
  validate(description_, options_.text.string());
  describe(*part_, beside);
}

TextSource::~TextSource() = default;
TextSource::TextSource(TextSource&&) noexcept = default;

std::unique_ptr<TextSource::Part> TextSource::open_part(std::uint64_t file) const {
  auto part = std::make_unique<Part>();
  part->file = file;
  const auto opened = files_->open(file);
  part->text = find_array(
      *opened, {"--text-key", options_.key, {kTextName, "text_features", "features"}}, false);
  std::unique_ptr<Array> begin;
  if (opened->has_names()) {
    begin = find_array(*opened, {"", {}, {kTextBeginName}}, true);
    part->lengths = find_array(*opened, {"", {}, {"text_lengths", "text_length", "lengths"}}, true);
    if (opened->find(kNullTextName)) part->null_name = kNullTextName;
    for (const auto& [name, value] : opened->said(kTextName)) {
      const auto* text = std::get_if<std::string>(&value);
      if (name == "text_encoder" && text != nullptr) part->encoder = *text;
    }
  }
  if (begin) {
    part->begin = whole_numbers(*begin, begin->elements(), "");
    check_begin(part->begin, *begin, *part->text);
  }
  take_shape(*part);
  return part;
}

// Which extents count texts and tokens.
void TextSource::take_shape(Part& part) const {
  const h5::Shape& shape = part.text->shape();
  const std::string label = part.text->label();
  const bool ragged = !part.begin.empty();
  const bool alone = one_each_ && !ragged;
  const bool has_batch = shape.size() == 3;
  const bool fits = ragged ? shape.size() == 2 : shape.size() == 2 || has_batch;
  require<DataError>(fits && shape.back() >= 1 && (!alone || !has_batch || shape[0] == 1), "import",
                     "{}: shape {}, expected {}", label, h5::to_string(shape),
                     ragged  ? "[tokens, channels] beside text_begin"
                     : alone ? "[tokens, channels] or [1, tokens, channels]"
                             : "[N, tokens, channels] or [N, channels]");
  part.rows_are_tokens = ragged || (alone && !has_batch);
  part.texts = ragged ? part.begin.size() - 1 : alone ? 1 : shape[0];
  part.room = ragged ? part.text->rows() : has_batch ? shape[1] : alone ? shape[0] : 1;
  require<DataError>(part.texts >= 1 && part.room >= 1, "import",
                     "{}: shape {}: there are no texts in it", label, h5::to_string(shape));
  require<DataError>(!part_ || shape.back() == description_.channels, "import",
                     "{}: {} channels, {} has {}", label, shape.back(),
                     part_ ? part_->text->label() : "", description_.channels);
}

void TextSource::add_lengths(const Part& part) {
  const std::uint64_t first = lengths_.size();
  std::vector<std::uint64_t> of_file;
  if (part.begin.empty() && part.lengths && options_.lengths.empty()) {
    of_file = whole_numbers(*part.lengths, part.texts, "lengths of texts");
  }
  for (std::uint64_t i = 0; i < part.texts; ++i) {
    std::uint64_t tokens = part.room;
    if (!part.begin.empty()) tokens = part.begin[i + 1] - part.begin[i];
    if (!of_file.empty()) tokens = of_file[i];
    lengths_.push_back(checked_length(tokens, part.room, first + i, part.text->label()));
  }
}

// All files are opened once.
void TextSource::count_texts(const Beside& beside) {
  begin_ = {0};
  for (std::uint64_t file = 0; file < files_->size(); ++file) {
    const auto part = open_part(file);
    add_lengths(*part);
    begin_.push_back(begin_.back() + part->texts);
  }
  require<DataError>(begin_.back() == beside.samples, "import", "{}: {} texts, {} has {} samples",
                     options_.text.string(), begin_.back(), beside.label, beside.samples);
}

void TextSource::take_given_lengths() {
  require<UsageError>(part_->begin.empty(), "import",
                      "--text-lengths {}: {} says itself where texts begin",
                      options_.lengths.string(), options_.text.string());
  const auto file = open_array_file(options_.lengths);
  const auto array =
      find_array(*file, {"--text-lengths", {}, {"text_lengths", "text_length", "lengths"}}, false);
  const auto given = whole_numbers(*array, lengths_.size(), "lengths of texts");
  for (std::size_t i = 0; i < given.size(); ++i) {
    // Until now each is as long as there is room for in its file.
    lengths_[i] = checked_length(given[i], lengths_[i], i, array->label());
  }
}

void TextSource::read_null_text() {
  const bool beside = options_.null_text.empty();
  require<UsageError>(
      !beside || !part_->null_name.empty(), "import",
      "{}: --null-text is needed, features of the empty prompt by the same encoder: "
      "they take the place of texts that are dropped and guided away from",
      options_.text.string());
  const auto file = beside ? files_->open(0) : open_array_file(options_.null_text);
  const auto array = find_array(*file, {"--null-text", {}, {kNullTextName, kTextName}}, false);
  const h5::Shape& shape = array->shape();
  const bool fits =
      (shape.size() == 1 || shape.size() == 2 || (shape.size() == 3 && shape[0] == 1)) &&
      shape.back() == description_.channels && array->elements() > 0;
  require<DataError>(fits, "import", "{}: shape {}, expected [tokens, {}], the channels of {}",
                     array->label(), h5::to_string(shape), description_.channels,
                     part_->text->label());
  std::vector<float> values(array->elements());
  array->read(0, values);
  require<DataError>(all_finite(values), "import", "{}: contains NaN or infinity", array->label());
  require_text_written(std::span<const float>(values), array->label());
  const std::string lost = lost_in_float16(values);
  require<DataError>(lost.empty(), "import", "{}: {}", array->label(), lost);
  auto halves = std::make_shared<std::vector<half_bits>>(values.size());
  float_to_half(values, *halves);
  description_.null = std::move(halves);
}

void TextSource::find_captions(const Beside& beside) {
  if (options_.captions.empty()) {
    std::vector<fs::path> files = files_with_captions(*files_);
    if (files.empty()) return;
    captions_ = open_captions(std::move(files), begin_);
  } else {
    captions_ = open_captions(options_.captions);
    require<DataError>(captions_->size() == beside.samples, "import",
                       "{}: {} captions, {} has {} samples", options_.captions.string(),
                       captions_->size(), beside.label, beside.samples);
  }
  description_.captions = true;
}

void TextSource::describe(const Part& first, const Beside& beside) {
  const auto names = first.text->row_names();
  const bool named = !names.empty() && !beside.row_names.empty();
  require<DataError>(!named || names == beside.row_names, "import",
                     "{} and {} do not pair: their samples have other names", first.text->label(),
                     beside.label);
  summary_ = fmt::format("texts {} {}, {}, null text of {} tokens, {}", first.text->label(),
                         h5::to_string(first.text->shape()), text_of(description_),
                         description_.null_tokens(),
                         named ? "named samples" : "taken to be in the same order");
}

void TextSource::read(std::uint64_t sample, StoredTexts& out) {
  const auto file =
      static_cast<std::uint64_t>(std::ranges::upper_bound(begin_, sample) - begin_.begin()) - 1;
  if (part_->file != file) part_ = open_part(file);
  const std::uint64_t text = sample - begin_[file], tokens = lengths_[sample];
  const std::uint64_t channels = description_.channels;
  const std::uint64_t rows = part_->rows_are_tokens ? tokens : part_->room;
  const std::uint64_t first = !part_->begin.empty()    ? part_->begin[text]
                              : part_->rows_are_tokens ? 0
                                                       : text;
  values_.resize(rows * channels);
  part_->text->read(first, values_);
  const auto values = std::span<const float>(values_).first(tokens * channels);
  require<DataError>(all_finite(values), "import", "{}: text {} contains NaN or infinity",
                     part_->text->label(), sample);
  part_->text->require_written(values, sample, "import", "text");
  const std::string lost = lost_in_float16(values);
  require<DataError>(lost.empty(), "import", "{}: text {}: {}", part_->text->label(), sample, lost);
  const std::size_t before = out.features.size();
  out.features.resize(before + values.size());
  float_to_half(values, std::span(out.features).subspan(before));
  out.tokens.push_back(tokens);
  if (captions_) out.captions.push_back(captions_->read(sample));
}

std::optional<TextSource> open_texts(const TextOptions& options, const Beside& beside) {
  if (!options.any()) return std::nullopt;
  return TextSource(options, beside);
}

void add_texts(Provenance& provenance, const TextOptions& options) {
  if (!options.any()) return;
  for (const auto& [name, path] : {std::pair{"--text", &options.text},
                                   {"--text-lengths", &options.lengths},
                                   {"--null-text", &options.null_text},
                                   {"--captions", &options.captions}}) {
    if (!path->empty()) provenance.add_input(name, *path);
  }
  if (!options.key.empty()) provenance.add("--text-key", options.key);
  if (!options.encoder.empty()) provenance.add("--text-encoder", options.encoder);
}

}  // namespace edt::data
