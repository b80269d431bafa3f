// Texts that an import puts beside the latents, sample by sample, whatever the files their features
// lie in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/import/captions.h"
#include "data/import/features.h"
#include "data/provenance.h"
#include "data/text.h"

namespace edt::data {

struct TextOptions {
  std::filesystem::path text;       // a file of arrays or a folder of them; empty: no texts
  std::filesystem::path lengths;    // tokens of each text; empty: beside the features, or all
  std::filesystem::path null_text;  // empty: beside the features
  std::filesystem::path captions;   // empty: beside the features, where these lie in an HDF5 file
  std::string key;                  // name within .npz, .safetensors and HDF5; empty: the usual
  std::string encoder;              // its name; empty: what the file says

  bool any() const { return !text.empty(); }
};

// Features are [N, L, C], of which a text has the first tokens; [N, C], a token each; or, with
// text_begin [N + 1] beside them, [sum of tokens, C]. A file that is alone with its text is [L, C]
// or [1, L, C].
class TextSource {
 public:
  // UsageError or DataError naming file and both values: other counts than beside them, no null
  // text, lengths that are none, other channels.
  TextSource(const TextOptions& options, const Beside& beside);
  ~TextSource();
  TextSource(TextSource&&) noexcept;

  const TextDescription& description() const { return description_; }
  std::uint64_t tokens(std::uint64_t sample) const { return lengths_[sample]; }
  // Appends the text of a sample. In order is quickest. NaN, infinity, values beyond float16 and
  // a text that is zero everywhere are DataErrors.
  void read(std::uint64_t sample, StoredTexts& out);
  // What is read, for people.
  const std::string& summary() const { return summary_; }

 private:
  struct Part;
  std::unique_ptr<Part> open_part(std::uint64_t file) const;
  void take_shape(Part& part) const;
  void count_texts(const Beside& beside);
  void add_lengths(const Part& part);
  void take_given_lengths();
  void read_null_text();
  void find_captions(const Beside& beside);
  void describe(const Part& first, const Beside& beside);

  TextOptions options_;
  Files files_;
  bool one_each_;                       // a file for each text
  std::vector<std::uint64_t> begin_;    // first text of each file, and the end
  std::vector<std::uint32_t> lengths_;  // of each text
  TextDescription description_;
  std::unique_ptr<CaptionList> captions_;
  std::unique_ptr<Part> part_;
  std::string summary_;
  std::vector<float> values_;
};

// Nothing where no texts are asked for.
std::optional<TextSource> open_texts(const TextOptions& options, const Beside& beside);
void add_texts(Provenance& provenance, const TextOptions& options);

}  // namespace edt::data
