// Texts in a file: a shard that has some beside its latents, or a file of texts alone, as prompts
// are.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/text_reader.h"

namespace edt::data {

class TextFile {
 public:
  // DataError naming the file where it holds no texts, or they are damaged.
  explicit TextFile(const std::filesystem::path& path);
  TextFile(const TextFile&) = delete;  // its reader refers to its file
  TextFile& operator=(const TextFile&) = delete;

  const std::filesystem::path& path() const { return file_.path(); }
  const TextDescription& description() const { return description_; }
  std::uint64_t size() const { return reader_->size(); }
  std::uint64_t tokens(std::uint64_t text) const { return reader_->tokens(text); }

  // Features [tokens(text), channels], verified. DataError where there are fewer texts.
  std::vector<float> features(std::uint64_t text) const;
  // [null_tokens, channels]
  std::vector<float> null_text() const;
  // Empty where no captions are kept.
  std::string caption(std::uint64_t text) const;

  // Of the features, block by block; a file that another program wrote may have none.
  bool has_checksums() const { return reader_->features().has_checksums(); }
  // Reads all of it.
  void verify() const { reader_->verify(); }

 private:
  void require_there(std::uint64_t text) const;

  InputFile file_;
  BlockCache cache_;
  TextDescription description_;
  std::unique_ptr<TextReader> reader_;
  std::unique_ptr<h5::File> hdf5_;  // kept open only where features are not raw
};

// Whether a file holds texts and no latents beside them.
bool is_text_file(const std::filesystem::path& path);

// Writes a file of texts alone, sealed as a shard is. It has its name when it is complete.
void write_text_file(const std::filesystem::path& path, const TextDescription& description,
                     const StoredTexts& texts);

// A text as float32.
std::vector<float> to_floats(const std::vector<half_bits>& values);

}  // namespace edt::data
