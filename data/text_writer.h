// Writes the texts of one file: features as they come, the rest at the end.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/storage/hdf5.h"
#include "data/array_writer.h"
#include "data/seal.h"
#include "data/text.h"

namespace edt::data {

class TextWriter {
 public:
  // Of texts that have `tokens` tokens together. `where` names the file in messages.
  TextWriter(h5::File& file, const TextDescription& description, std::uint64_t tokens,
             std::string where);

  // DataError with the number of the text, `first` for the first of these: no or too many tokens,
  // values that are not finite, captions that are no UTF-8, too long, or hold a zero byte.
  void append(const StoredTexts& texts, std::uint64_t first);
  // Returns where what has checksums of its own lies. DataError where tokens are missing.
  std::vector<ByteRange> finish(h5::File& file);

 private:
  void check(const StoredTexts& texts, std::uint64_t first) const;
  ByteRange write_captions(h5::File& file);

  TextDescription description_;
  std::uint64_t tokens_;
  std::string where_;
  ArrayWriter features_;
  std::vector<std::int64_t> begin_{0};
  std::vector<std::string> captions_;
};

// Of captions, each with a zero byte behind it.
std::uint64_t captions_checksum(std::span<const std::string> captions);

}  // namespace edt::data
