#include "data/import/features.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/storage/half.h"
#include "data/import/half_range.h"
#include "data/text.h"

namespace edt::data {

namespace fs = std::filesystem;

// An opened file of features and what belongs to it.
struct FeatureSource::Part {
  std::uint64_t file = 0;
  std::unique_ptr<Array> plain, flipped;
  std::unique_ptr<LabelArray> labels;  // nullptr: there are none
};

namespace {

struct Pair {
  std::string name, value;
};

Pair split(const std::string& text, const char* option) {
  const std::size_t sign = text.find('=');
  require<UsageError>(sign != text.npos && sign > 0 && sign + 1 < text.size(), "import",
                      "{} is '{}', expected NAME=VALUE", option, text);
  return {text.substr(0, sign), text.substr(sign + 1)};
}

FeatureInput& find_input(std::vector<FeatureInput>& inputs, const std::string& name,
                         const char* option) {
  const auto found = std::ranges::find(inputs, name, &FeatureInput::name);
  require<UsageError>(found != inputs.end(), "import", "{} {}: --features has no '{}'", option,
                      name, name);
  return *found;
}

// A sample that is alone in its file is [...] or [1, ...].
h5::Shape sample_shape(const Array& array, bool alone) {
  h5::Shape shape = array.shape();
  if (!alone || (shape.size() > 1 && shape[0] == 1)) shape.erase(shape.begin());
  return shape;
}

ArrayName name_of(const FeatureInput& input) {
  return {"--features-key", input.key, {input.name, "features"}};
}

}  // namespace

std::vector<FeatureInput> parse_features(const FeatureOptions& options) {
  std::vector<FeatureInput> inputs;
  for (const std::string& text : options.features) {
    const auto [name, path] = split(text, "--features");
    require<UsageError>(std::ranges::find(inputs, name, &FeatureInput::name) == inputs.end(),
                        "import", "--features: '{}' stands twice", name);
    require<UsageError>(name != kTextRequest && name != kTextLengthRequest, "import",
                        "--features {}: that name stands for the text of a sample, which --text "
                        "puts beside it",
                        name);
    inputs.push_back({.name = name, .path = path, .flipped_path = {}, .key = {}});
  }
  for (const std::string& text : options.flipped_features) {
    const auto [name, path] = split(text, "--flipped-features");
    FeatureInput& input = find_input(inputs, name, "--flipped-features");
    std::error_code code;
    require<UsageError>(!fs::equivalent(path, input.path, code), "import",
                        "--flipped-features {}: {} are the features themselves", name, path);
    input.flipped_path = path;
  }
  for (const std::string& text : options.keys) {
    const auto [name, key] = split(text, "--features-key");
    find_input(inputs, name, "--features-key").key = key;
  }
  std::ranges::sort(inputs, {}, &FeatureInput::name);
  return inputs;
}

FeatureSource::FeatureSource(const FeatureInput& input, const Beside& beside, h5::Type type)
    : input_(input),
      files_(files_beside(input.path, beside.files, "--features", &same_names_)),
      one_each_(files_->size() > 1 && files_->size() == beside.samples) {
  if (!input.flipped_path.empty()) {
    flipped_files_ =
        files_beside(input.flipped_path, beside.files, "--flipped-features", &same_names_);
  }
  require<DataError>(!flipped_files_ || flipped_files_->size() == files_->size(), "import",
                     "{} holds {} files, {} holds {}", input.path.string(), files_->size(),
                     input.flipped_path.string(), flipped_files_ ? flipped_files_->size() : 0);
  auto first = open_part(0);
  array_ = {.name = input.name,
            .shape = sample_shape(*first->plain, one_each_),
            .type = type,
            .flipped = first->flipped != nullptr};
  validate(array_, first->plain->label());
  if (!one_each_) count_samples(*first, beside);
  require_beside(*first, beside);
  check_part(*first);
  summary_ = describe(*first);
  part_ = std::move(first);
}

void FeatureSource::require_beside(const Part& first, const Beside& beside) const {
  require<DataError>(!beside.flipped || array_.flipped, "import",
                     "{}: has no mirrored copies, {} has: --flipped-features {}=PATH",
                     first.plain->label(), beside.label, input_.name);
  const auto names = first.plain->row_names();
  if (names.empty() || beside.row_names.empty()) return;
  const auto [a, b] = std::ranges::mismatch(names, beside.row_names);
  require<DataError>(a == names.end() && b == beside.row_names.end(), "import",
                     "{} and {} do not pair: sample {} is {} and {}", first.plain->label(),
                     beside.label, a - names.begin(), a == names.end() ? "not there" : *a,
                     b == beside.row_names.end() ? "not there" : *b);
}

std::string FeatureSource::describe(const Part& first) const {
  const char* order = same_names_                         ? "files named as the latents"
                      : !first.plain->row_names().empty() ? "named samples"
                      : first.labels                      ? "labels beside them"
                                                          : "taken to be in the same order";
  return fmt::format("{} {} {} {}, {}, {}", array_.name, first.plain->label(),
                     h5::to_string(first.plain->shape()), first.plain->type(),
                     array_.flipped ? "with mirrored copies" : "no mirrored copies", order);
}

FeatureSource::~FeatureSource() = default;
FeatureSource::FeatureSource(FeatureSource&&) noexcept = default;

std::unique_ptr<FeatureSource::Part> FeatureSource::open_part(std::uint64_t file) const {
  auto part = std::make_unique<Part>();
  part->file = file;
  const auto opened = files_->open(file);
  std::string name;
  part->plain = find_array(*opened, name_of(input_), false, &name);
  if (flipped_files_) {
    const auto copies = flipped_files_->open(file);
    ArrayName copy = name_of(input_);
    for (const std::string& other : flipped_names(name)) copy.usual.push_back(other);
    part->flipped = find_array(*copies, copy, false);
  } else if (opened->has_names()) {
    part->flipped = find_array(*opened, {"--features-key", {}, flipped_names(name)}, true);
  }
  if (!opened->has_names()) return part;
  const std::uint64_t samples = one_each_ ? 1 : part->plain->rows();
  auto labels = find_array(*opened, {"--labels-key", {}, {"labels", "label"}}, true);
  if (labels) part->labels = std::make_unique<LabelArray>(std::move(labels), samples);
  return part;
}

// Files of several samples each: all are opened once.
void FeatureSource::count_samples(const Part& first, const Beside& beside) {
  begin_ = {0, first.plain->rows()};
  for (std::uint64_t i = 1; i < files_->size(); ++i) {
    begin_.push_back(begin_.back() + open_part(i)->plain->rows());
  }
  require<DataError>(begin_.back() == beside.samples, "import", "{}: {} samples, {} has {}",
                     input_.path.string(), begin_.back(), beside.label, beside.samples);
}

void FeatureSource::check_part(const Part& part) const {
  const h5::Shape shape = sample_shape(*part.plain, one_each_);
  require<DataError>(shape == array_.shape, "import", "{}: samples of {}, those before are of {}",
                     part.plain->label(), h5::to_string(shape), h5::to_string(array_.shape));
  require<DataError>((part.flipped != nullptr) == array_.flipped, "import",
                     "{}: {} mirrored copies, those before {}", part.plain->label(),
                     part.flipped ? "has" : "lacks", array_.flipped ? "have" : "lack");
  require<DataError>(!part.flipped || part.flipped->shape() == part.plain->shape(), "import",
                     "{}: shape {}, but {} has {}", part.flipped ? part.flipped->label() : "",
                     part.flipped ? h5::to_string(part.flipped->shape()) : "", part.plain->label(),
                     h5::to_string(part.plain->shape()));
}

void FeatureSource::read_values(Array& array, std::uint64_t row, std::uint64_t index,
                                StoredArray& out) {
  values_.resize(array_.elements());
  array.read(row, values_);
  require<DataError>(all_finite(values_), "import", "{}: sample {} contains NaN or infinity",
                     array.label(), index);
  array.require_written(values_, index, "import");
  if (array_.type == h5::Type::kFloat16) {
    const std::string lost = lost_in_float16(values_);
    require<DataError>(lost.empty(), "import", "{}: sample {}: {}: --features-dtype float32",
                       array.label(), index, lost);
  }
  append_stored(array_, values_, out);
}

void FeatureSource::read(std::uint64_t index, std::int64_t label, StoredSamples& out) {
  const std::uint64_t file =
      one_each_
          ? index
          : static_cast<std::uint64_t>(std::ranges::upper_bound(begin_, index) - begin_.begin()) -
                1;
  if (part_->file != file) {
    part_ = open_part(file);
    check_part(*part_);
  }
  const std::uint64_t row = one_each_ ? 0 : index - begin_[file];
  if (part_->labels) {
    const std::int64_t theirs = part_->labels->read(row);
    require<DataError>(theirs == label, "import",
                       "{}: sample {} has label {}, its latents have {}: the features are in "
                       "another order",
                       part_->plain->label(), index, theirs, label);
  }
  read_values(*part_->plain, row, index, out.plain);
  if (part_->flipped) read_values(*part_->flipped, row, index, out.flipped);
}

std::vector<FeatureSource> open_features(const FeatureOptions& options, const Beside& beside) {
  std::vector<FeatureSource> sources;
  for (const FeatureInput& input : parse_features(options)) {
    sources.emplace_back(input, beside, options.type);
  }
  return sources;
}

std::vector<SampleArray> arrays_of(const std::vector<FeatureSource>& sources) {
  std::vector<SampleArray> arrays;
  arrays.reserve(sources.size());
  for (const FeatureSource& source : sources) arrays.push_back(source.array());
  return arrays;
}

void read_features(std::vector<FeatureSource>& sources, std::uint64_t index, std::int64_t label,
                   std::vector<StoredSamples>& out) {
  out.resize(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    out[i].clear();
    sources[i].read(index, label, out[i]);
  }
}

void add_features(Provenance& provenance, const FeatureOptions& options) {
  for (const FeatureInput& input : parse_features(options)) {
    provenance.add_input("--features " + input.name, input.path);
    if (!input.flipped_path.empty()) {
      provenance.add_input("--flipped-features " + input.name, input.flipped_path);
    }
    if (!input.key.empty()) provenance.add("--features-key " + input.name, input.key);
  }
  if (options.any()) provenance.add("--features-dtype", std::string(h5::name_of(options.type)));
}

}  // namespace edt::data
