#include "data/text_writer.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/unicode/unicode.h"

namespace edt::data {

std::uint64_t captions_checksum(std::span<const std::string> captions) {
  StreamingChecksum sum;
  for (const std::string& caption : captions) {
    sum.add(std::as_bytes(std::span(caption.c_str(), caption.size() + 1)));
  }
  return sum.value();
}

TextWriter::TextWriter(h5::File& file, const TextDescription& description, std::uint64_t tokens,
                       std::string where)
    : description_(description),
      tokens_(tokens),
      where_(std::move(where)),
      features_(file, kTextName, h5::Type::kFloat16, {tokens, description.channels},
                block_samples(description.channels * sizeof(half_bits))) {}

void TextWriter::check(const StoredTexts& texts, std::uint64_t first) const {
  for (std::size_t i = 0; i < texts.tokens.size(); ++i) {
    const std::uint64_t tokens = texts.tokens[i];
    require<DataError>(tokens >= 1 && tokens <= description_.tokens, "shard",
                       "text {} for {}: {} tokens, 1 to {} are possible", first + i, where_, tokens,
                       description_.tokens);
  }
  require<DataError>(halves_are_finite(texts.features), "shard",
                     "texts {} to {} for {}: NaN, infinity or beyond the range of float16", first,
                     first + texts.tokens.size() - 1, where_);
  std::size_t at = 0;
  for (std::size_t i = 0; i < texts.tokens.size(); ++i) {
    const std::size_t size =
        std::min(texts.tokens[i] * description_.channels, texts.features.size() - at);
    require_text_written(std::span(texts.features).subspan(at, size),
                         fmt::format("text {} for {}", first + i, where_));
    at += size;
  }
  for (std::size_t i = 0; i < texts.captions.size(); ++i) {
    const std::string& caption = texts.captions[i];
    require<DataError>(caption.size() <= kLongestCaption, "shard",
                       "caption {} for {}: {} bytes, {} at most", first + i, where_, caption.size(),
                       kLongestCaption);
    require<DataError>(caption.find('\0') == caption.npos, "shard",
                       "caption {} for {}: holds a byte 0", first + i, where_);
    require<DataError>(is_utf8(caption), "shard", "caption {} for {}: is not UTF-8", first + i,
                       where_);
  }
}

void TextWriter::append(const StoredTexts& texts, std::uint64_t first) {
  EDT_ASSERT(texts.captions.size() == (description_.captions ? texts.tokens.size() : 0));
  check(texts, first);
  const std::int64_t before = begin_.back();
  for (const std::uint64_t tokens : texts.tokens) {
    begin_.push_back(begin_.back() + static_cast<std::int64_t>(tokens));
  }
  const auto added = static_cast<std::uint64_t>(begin_.back() - before);
  EDT_ASSERT(texts.features.size() == added * description_.channels);
  require<DataError>(static_cast<std::uint64_t>(begin_.back()) <= tokens_, "shard",
                     "texts up to {} for {} have {} tokens, {} were announced for all",
                     first + texts.tokens.size() - 1, where_, begin_.back(), tokens_);
  features_.append(std::as_bytes(std::span(texts.features)));
  captions_.insert(captions_.end(), texts.captions.begin(), texts.captions.end());
}

ByteRange TextWriter::write_captions(h5::File& file) {
  constexpr std::uint64_t kTextsOfBlock = 1024;
  std::vector<std::uint64_t> sums;
  for (std::size_t at = 0; at < captions_.size(); at += kTextsOfBlock) {
    const std::size_t count = std::min<std::size_t>(kTextsOfBlock, captions_.size() - at);
    sums.push_back(captions_checksum(std::span(captions_).subspan(at, count)));
  }
  h5::DataSet set = file.create_dataset(std::string("checksums/") + kCaptionsName,
                                        h5::Type::kUInt64, {sums.size()});
  set.write(h5::Type::kUInt64, sums.data());
  set.write_attribute("checksum_block", static_cast<std::int64_t>(kTextsOfBlock));
  h5::File::Bytes stored;
  (void)file.create_strings(kCaptionsName, captions_, &stored);
  return {stored.offset, stored.size};
}

std::vector<ByteRange> TextWriter::finish(h5::File& file) {
  require<DataError>(static_cast<std::uint64_t>(begin_.back()) == tokens_, "shard",
                     "{}: texts of {} tokens written, {} announced", where_, begin_.back(),
                     tokens_);
  std::vector<ByteRange> ranges{features_.finish(file, true)};
  file.create_dataset(kTextBeginName, h5::Type::kInt64, {begin_.size()})
      .write(h5::Type::kInt64, begin_.data());
  if (description_.captions) ranges.push_back(write_captions(file));
  return ranges;
}

}  // namespace edt::data
