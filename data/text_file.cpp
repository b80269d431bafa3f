#include "data/text_file.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/storage/file_kind.h"
#include "core/storage/partial_file.h"
#include "data/seal.h"
#include "data/text_writer.h"

namespace edt::data {

std::vector<float> to_floats(const std::vector<half_bits>& values) {
  std::vector<float> out(values.size());
  half_to_float(values, out);
  return out;
}

TextFile::TextFile(const std::filesystem::path& path) : file_(path), cache_(kDefaultCacheBytes) {
  (void)check_seal(file_);
  h5::File file = h5::File::open(path);
  description_ = read_text_description(file);
  require<DataError>(description_.present(), "text",
                     "{}: holds no texts: /{}, /{} and /{} are needed", path.string(), kTextName,
                     kTextBeginName, kNullTextName);
  reader_ = std::make_unique<TextReader>(file, file_, description_, std::nullopt, cache_);
  if (description_.tokens == 0) {
    description_.tokens = std::max(reader_->longest(), description_.null_tokens());
  }
  if (!reader_->features().is_raw()) hdf5_ = std::make_unique<h5::File>(std::move(file));
}

void TextFile::require_there(std::uint64_t text) const {
  require<DataError>(text < size(), "text", "{}: text {} asked for, there are {}", path().string(),
                     text, size());
}

std::vector<float> TextFile::features(std::uint64_t text) const {
  require_there(text);
  std::vector<float> out(tokens(text) * description_.channels);
  std::vector<std::byte> scratch;
  reader_->read(text, true, scratch, out);
  file_.require_kept();
  return out;
}

std::vector<float> TextFile::null_text() const { return to_floats(*description_.null); }

std::string TextFile::caption(std::uint64_t text) const {
  require_there(text);
  return description_.captions ? reader_->captions(text, 1)[0] : "";
}

// What cannot be opened is none: whoever reads it as what it should be says why.
bool is_text_file(const std::filesystem::path& path) try {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) return false;
  const FileKind kind = kind_of_file(path);
  if (kind != FileKind::kHdf5 && kind != FileKind::kShard) return false;
  const h5::File file = h5::File::open(path);
  return file.has(kTextBeginName) && !file.has("latents") && !file.has("moments");
} catch (const Error&) {
  return false;
}

void write_text_file(const std::filesystem::path& path, const TextDescription& description,
                     const StoredTexts& texts) {
  validate(description, path.string());
  require<DataError>(!texts.tokens.empty(), "text", "{}: there are no texts to write",
                     path.string());
  PartialFile partial(path);
  h5::File file = h5::File::create(partial.partial(), kSealBytes);
  file.write_attribute("format", "edt-texts");
  file.write_attribute("format_version", 1);
  write_text_description(description, file);
  const auto tokens = std::accumulate(texts.tokens.begin(), texts.tokens.end(), std::uint64_t{0});
  std::vector<ByteRange> ranges;
  {
    TextWriter writer(file, description, tokens, path.string());
    writer.append(texts, 0);
    ranges = writer.finish(file);
  }
  file.close();
  write_seal(partial.partial(), std::move(ranges));
  partial.commit();
}

}  // namespace edt::data
