#include "data/text_reader.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/unicode/unicode.h"
#include "data/text_writer.h"

namespace edt::data {

namespace {

std::uint64_t checksum_block(const h5::File& file, const std::string& array) {
  const std::string sums = "checksums/" + array;
  if (!file.has(sums)) return 0;
  const std::int64_t block = file.dataset(sums).read_int("checksum_block");
  require<DataError>(block >= 1 && block <= (1 << 24), "shard", "{}{}: checksum_block is {}",
                     file.label(), sums, block);
  return static_cast<std::uint64_t>(block);
}

ShardArray open_features(const h5::File& file, const InputFile& bytes,
                         const TextDescription& description, BlockCache& cache) {
  const std::uint64_t rows = file.dataset(kTextName).rows();
  require<DataError>(rows >= 1, "shard", "{}text: holds no token", file.label());
  return {file,
          bytes,
          kTextName,
          h5::Type::kFloat16,
          {rows, description.channels},
          checksum_block(file, kTextName),
          cache,
          "token"};
}

}  // namespace

TextReader::TextReader(const h5::File& file, const InputFile& bytes,
                       const TextDescription& description, std::optional<std::uint64_t> samples,
                       BlockCache& cache)
    : bytes_(&bytes),
      captions_(description.captions),
      most_tokens_(description.tokens > 0 ? description.tokens : kMostTextTokens),
      features_(open_features(file, bytes, description, cache)) {
  read_begin(file, samples);
  if (captions_) check_captions(file);
}

void TextReader::read_begin(const h5::File& file, std::optional<std::uint64_t> samples) {
  const h5::DataSet set = file.dataset(kTextBeginName);
  require<DataError>(set.type() == h5::Type::kInt64 && set.shape().size() == 1 && set.rows() >= 2,
                     "shard", "{}: {} {}, expected int64 [texts + 1]", set.label(), set.type_name(),
                     h5::to_string(set.shape()));
  require<DataError>(!samples || set.rows() == *samples + 1, "shard",
                     "{}: {} values, expected {} for {} samples", set.label(), set.rows(),
                     samples.value_or(0) + 1, samples.value_or(0));
  begin_ = set.read_all<std::int64_t>(h5::Type::kInt64);
  const auto rows = static_cast<std::int64_t>(features_.samples());
  require<DataError>(begin_.front() == 0 && begin_.back() == rows, "shard",
                     "{}: texts lie from token {} to {}, expected 0 to {}, which are in /text",
                     set.label(), begin_.front(), begin_.back(), rows);
  for (std::size_t i = 1; i < begin_.size(); ++i) {
    require<DataError>(begin_[i] > begin_[i - 1], "shard",
                       "{}: text {} lies from token {} to {}: at least one is needed, of an empty "
                       "text those of /null_text",
                       set.label(), i - 1, begin_[i - 1], begin_[i]);
    longest_ = std::max(longest_, static_cast<std::uint64_t>(begin_[i] - begin_[i - 1]));
    require<DataError>(longest_ <= most_tokens_, "shard",
                       "{}: text {} has {} tokens, no more than {} can be (text_tokens)",
                       set.label(), i - 1, longest_, most_tokens_);
  }
}

void TextReader::check_captions(const h5::File& file) const {
  const h5::DataSet set = file.dataset(kCaptionsName);
  require<DataError>(set.shape() == h5::Shape{size()}, "shard", "{}: {}, there are {} texts",
                     set.label(), h5::to_string(set.shape()), size());
  (void)set.read_strings(0, 1);  // says so where they are no texts
}

void TextReader::read(std::uint64_t sample, bool verify, std::vector<std::byte>& scratch,
                      std::span<float> out) const {
  EDT_ASSERT(sample < size());
  features_.read(static_cast<std::uint64_t>(begin_[sample]), tokens(sample), verify, scratch, out);
  if (out.empty() || out[0] != 0) return;  // the label is made for few
  require_text_written(
      std::span<const float>(out).first(tokens(sample) * features_.sample_elements()),
      fmt::format("{}: text {}", bytes_->path().string(), sample));
}

void TextReader::append_stored(std::uint64_t first, std::uint64_t count, StoredTexts& out) const {
  EDT_ASSERT(count >= 1 && first + count <= size());
  std::vector<std::byte> scratch;
  const auto row = static_cast<std::uint64_t>(begin_[first]);
  const auto rows = static_cast<std::uint64_t>(begin_[first + count]) - row;
  const auto bytes = features_.read(row, rows, true, scratch);
  const auto* halves = reinterpret_cast<const half_bits*>(bytes.data());
  out.features.insert(out.features.end(), halves, halves + bytes.size() / sizeof(half_bits));
  bytes_->require_mapping_kept();
  for (std::uint64_t i = first; i < first + count; ++i) {
    out.tokens.push_back(tokens(i));
    const std::uint64_t begin = static_cast<std::uint64_t>(begin_[i] - begin_[first]);
    require_text_written(
        {halves + begin * features_.sample_elements(), tokens(i) * features_.sample_elements()},
        fmt::format("{}: text {}", bytes_->path().string(), i));
  }
  if (!captions_) return;
  std::ranges::move(captions(first, count), std::back_inserter(out.captions));
}

std::vector<std::string> TextReader::captions(std::uint64_t first, std::uint64_t count) const {
  EDT_ASSERT(captions_ && first + count <= size());
  const h5::File file = h5::File::open(bytes_->path());
  const h5::DataSet set = file.dataset(kCaptionsName);
  std::vector<std::string> texts = set.read_strings(first, count);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    require<DataError>(is_utf8(texts[i]), "shard", "{}: the caption of sample {} is no UTF-8",
                       set.label(), first + i);
  }
  return texts;
}

void TextReader::verify_captions() const {
  const h5::File file = h5::File::open(bytes_->path());
  const std::uint64_t known = checksum_block(file, kCaptionsName);
  constexpr std::uint64_t kTextsAtOnce = 1024;
  const std::uint64_t block = known > 0 ? known : kTextsAtOnce;
  std::vector<std::uint64_t> sums;
  if (known > 0) sums = read_checksums(file, kCaptionsName, (size() + block - 1) / block);
  for (std::uint64_t first = 0; first < size(); first += block) {
    const std::uint64_t count = std::min(block, size() - first);
    const std::uint64_t found = captions_checksum(captions(first, count));
    require<DataError>(known == 0 || found == sums[first / block], "shard",
                       "{}captions: texts {} to {}: checksum {}, {} was written", file.label(),
                       first, first + count - 1, checksum_text(found),
                       known == 0 ? "" : checksum_text(sums[first / block]));
  }
}

void TextReader::verify() const {
  features_.verify();
  std::vector<std::byte> scratch;
  std::vector<float> values;
  for (std::uint64_t text = 0; text < size(); ++text) {
    values.resize(tokens(text) * features_.sample_elements());
    read(text, false, scratch, values);
  }
  if (captions_) verify_captions();
}

}  // namespace edt::data
