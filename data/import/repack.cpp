#include "data/import/repack.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "data/dataset.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

// --replace would remove what is being read.
void require_elsewhere(const Dataset& input, const fs::path& out) {
  std::error_code code;
  for (const auto& shard : input.shards()) {
    const fs::path directory = fs::absolute(shard->path()).parent_path();
    require<UsageError>(!fs::equivalent(directory, out, code), "repack",
                        "{} lies in {}: another directory is needed for what is written",
                        shard->path().string(), out.string());
    const fs::path inner = fs::weakly_canonical(out), outer = fs::weakly_canonical(directory);
    const auto [rest, end] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    require<UsageError>(rest != outer.end(), "repack",
                        "{} lies below {}: another directory is needed for what is written",
                        out.string(), directory.string());
  }
}

Provenance provenance_of_repack(const RepackOptions& options) {
  Provenance p;
  p.add("made by", std::string("data repack, format 1"));
  p.add_input("input", options.in);
  add_features(p, options.features);
  add_texts(p, options.text);
  return p;
}

// Shards one after the other, in pieces of samples.
class RepackPieces {
 public:
  explicit RepackPieces(const Dataset& dataset)
      : dataset_(dataset), sizes_(dataset.shard_sizes()), end_(sizes_.empty() ? 0 : sizes_[0]) {}

  // At most `most` samples from `first` on, which does not go back.
  void read(std::uint64_t first, std::uint64_t most) {
    while (first >= end_) {
      begin_ = end_;
      end_ += sizes_[++shard_];
    }
    const Shard& shard = *dataset_.shards()[shard_];
    const std::uint64_t row = first - begin_, count = std::min(most, end_ - first);
    const std::uint64_t values = count * dataset_.description().stored_elements();
    stored.resize(values);
    shard.read(row, count, false, true, scratch_, stored);
    if (dataset_.description().flipped) {
      flipped.resize(values);
      shard.read(row, count, true, true, scratch_, flipped);
    }
    read_arrays(shard, row, count);
    texts.clear();
    if (shard.texts() != nullptr) shard.texts()->append_stored(row, count, texts);
    shard.require_kept();
    labels = shard.labels().subspan(row, count);
  }

  std::vector<float> stored, flipped;
  std::vector<StoredSamples> arrays;
  StoredTexts texts;
  std::span<const std::int32_t> labels;

 private:
  void read_arrays(const Shard& shard, std::uint64_t row, std::uint64_t count) {
    const auto& described = dataset_.description().arrays;
    arrays.resize(described.size());
    for (std::size_t i = 0; i < described.size(); ++i) {
      arrays[i].clear();
      shard.append_array(i, row, count, false, arrays[i].plain);
      if (described[i].flipped) shard.append_array(i, row, count, true, arrays[i].flipped);
    }
  }

  const Dataset& dataset_;
  std::vector<std::uint64_t> sizes_;
  std::size_t shard_ = 0;
  std::uint64_t begin_ = 0, end_;
  std::vector<std::byte> scratch_;
};

// Arrays of the input and those that are added, in the order of their names.
class JoinedArrays {
 public:
  JoinedArrays(const Dataset& input, std::vector<FeatureSource> features)
      : features_(std::move(features)) {
    arrays_ = input.description().arrays;
    for (const SampleArray& added : arrays_of(features_)) {
      require<UsageError>(
          std::ranges::find(arrays_, added.name, &SampleArray::name) == arrays_.end(), "repack",
          "{}: has an array '{}' already: {}", input.path().string(), added.name, text_of(arrays_));
      arrays_.push_back(added);
    }
    std::ranges::sort(arrays_, {}, &SampleArray::name);
    for (const SampleArray& added : arrays_of(features_)) {
      places_.push_back(static_cast<std::size_t>(
          std::ranges::find(arrays_, added.name, &SampleArray::name) - arrays_.begin()));
    }
  }

  const std::vector<SampleArray>& arrays() const { return arrays_; }
  const std::vector<FeatureSource>& features() const { return features_; }

  // Puts those that are added between those of samples `first` on.
  void add(std::uint64_t first, std::span<const std::int32_t> labels,
           std::vector<StoredSamples>& samples) {
    for (std::size_t i = 0; i < features_.size(); ++i) {
      StoredSamples added;
      for (std::size_t k = 0; k < labels.size(); ++k)
        features_[i].read(first + k, labels[k], added);
      samples.insert(samples.begin() + static_cast<std::ptrdiff_t>(places_[i]), std::move(added));
    }
  }

 private:
  std::vector<FeatureSource> features_;
  std::vector<SampleArray> arrays_;
  std::vector<std::size_t> places_;  // of those that are added, ascending
};

}  // namespace

WriteReport repack(const RepackOptions& options, const Progress& progress) {
  constexpr std::uint64_t kPieceBytes = 1 << 20;
  const Dataset input(options.in);
  require_elsewhere(input, options.out);
  Description description = input.description();
  if (description.source.empty()) {
    description.source = fmt::format("repack of {}", fs::absolute(options.in).string());
  }
  const Beside beside{.label = options.in.string(),
                      .samples = input.size(),
                      .flipped = description.flipped,
                      .files = nullptr,
                      .row_names = {}};
  JoinedArrays joined(input, open_features(options.features, beside));
  description.arrays = joined.arrays();
  require<UsageError>(!options.text.any() || !description.text.present(), "repack",
                      "{}: has texts already, {}: --text {} would be others", options.in.string(),
                      text_of(description.text), options.text.text.string());
  std::optional<TextSource> texts = open_texts(options.text, beside);
  if (texts) description.text = texts->description();
  DatasetWriterOptions writing{.samples_per_shard = options.samples_per_shard,
                               .provenance = provenance_of_repack(options),
                               .replace = options.replace};
  if (description.text.present()) {
    writing.text_tokens = [&](std::uint64_t sample) {
      return texts ? texts->tokens(sample) : input.text_tokens(sample);
    };
  }
  DatasetWriter writer(options.out, description, input.size(), writing);
  for (const auto& [name, value] : description.others) {
    if (!value) log::warning("repack: attribute '{}' is neither text nor numbers: left out", name);
  }
  const std::uint64_t most = std::max<std::uint64_t>(1, kPieceBytes / description.sample_bytes());
  RepackPieces pieces(input);
  while (writer.next_sample() < input.size()) {
    pieces.read(writer.next_sample(), std::min(most, writer.room()));
    joined.add(writer.next_sample(), pieces.labels, pieces.arrays);
    for (std::size_t i = 0; texts && i < pieces.labels.size(); ++i) {
      texts->read(writer.next_sample() + i, pieces.texts);
    }
    writer.append(pieces.stored, pieces.flipped, pieces.labels, pieces.arrays, pieces.texts);
    if (progress) progress(writer.next_sample(), input.size());
  }
  WriteReport report = writer.finish();
  for (const FeatureSource& feature : joined.features()) {
    report.source += (report.source.empty() ? "" : "; ") + feature.summary();
  }
  if (texts) report.source += (report.source.empty() ? "" : "; ") + texts->summary();
  return report;
}

}  // namespace edt::data
