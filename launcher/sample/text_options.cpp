#include "launcher/sample/text_options.h"

#include <fmt/ranges.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/unicode/unicode.h"
#include "data/caption_encoder.h"
#include "data/captioned_picture.h"
#include "launcher/recipe/model_data.h"

namespace edt {
namespace {

constexpr std::string_view kSetPrefix = "set:";

// Others are vectors that no model has seen.
void require_words(const std::string& caption) {
  require<UsageError>(is_utf8(caption), "sample", "--caption is not UTF-8");
  require<UsageError>(!data::caption_words(caption).empty(), "sample",
                      "--caption '{}' has no words", caption);
  const auto unknown = data::unknown_words(caption);
  require<UsageError>(
      unknown.empty(), "sample",
      "--caption '{}': captions of `edt data synth --captions` do not have '{}'; they have {}, {}, "
      "{} and {}",
      caption, fmt::join(unknown, "', '"), fmt::join(data::kSizeWords, ", "),
      fmt::join(data::kColourWords, ", "), fmt::join(data::kShapeWords, ", "),
      fmt::join(data::kPlaceWords, ", "));
}

}  // namespace

void TextOptions::declare(OptionSet& options) {
  options.add("text", &text_,
              "what pictures show, of a model that reads texts: an HDF5 file of texts (prompts, or "
              "a shard), one for each picture in turn; or set:NUMBER, of the samples of the data "
              "set from there on");
  options.add("caption", &caption_,
              "the same in words, of a model that was trained with edt data synth --captions");
}

bool TextOptions::is_of_set() const { return text_.starts_with(kSetPrefix); }

void TextOptions::open(const TextSpace& trained, const ModelConfig& model) {
  require<UsageError>(text_.empty() || caption_.empty(), "sample",
                      "--text {} and --caption '{}' are both given, one is needed", text_,
                      caption_);
  const bool given = !text_.empty() || !caption_.empty();
  const std::string option =
      caption_.empty() ? "--text " + text_ : fmt::format("--caption '{}'", caption_);
  if (!model.common().text.is_on()) {
    require<UsageError>(!given, "sample", "{}: {} reads no texts", option, model.name());
    return;
  }
  require<UsageError>(given, "sample", "{} reads texts: --text or --caption says what to show",
                      model.name());
  trained_ = trained;
  if (!caption_.empty()) {
    trained_.require_same(TextSpace::of(data::caption_texts(1, false), option), option);
    require_words(caption_);
    const std::uint64_t words = data::encode_caption(caption_).size() / data::kCaptionChannels;
    return require_fits(data::caption_texts(words, false), model, option);
  }
  if (is_of_set()) {
    const std::string_view number = std::string_view(text_).substr(kSetPrefix.size());
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), first_);
    require<UsageError>(error == std::errc() && end == number.data() + number.size(), "sample",
                        "--text {}: a sample of the data set is set:NUMBER", text_);
    return;
  }
  file_ = std::make_unique<data::TextFile>(text_);
  trained_.require_same(TextSpace::of(file_->description(), text_), option);
  require_fits(file_->description(), model, option);
}

std::filesystem::path TextOptions::input() const {
  return file_ ? file_->path() : std::filesystem::path();
}

std::int64_t TextOptions::pictures() const {
  return file_ ? static_cast<std::int64_t>(file_->size()) : 1;
}

RequestedTexts TextOptions::requested(const TrainedData& data, const ModelConfig& model) {
  if (!caption_.empty()) {
    return {[text = data::encode_caption(caption_)](std::int64_t) { return text; },
            data::encode_caption("")};
  }
  if (is_of_set()) return of_set(data, model);
  if (!file_) return {};
  compare(file_->description(), data);
  return {[file = file_.get()](std::int64_t picture) {
            return file->features(static_cast<std::uint64_t>(picture) % file->size());
          },
          file_->null_text()};
}

// Where the weights do not say beside which null text they were trained, the data set does.
void TextOptions::compare(const data::TextDescription& texts, const TrainedData& data) {
  const std::string option = "--text " + text_;
  if (trained_.null_checksum.empty() && data.description && data.description->text.present()) {
    const TextSpace of_set = TextSpace::of(data.description->text, data.path.string());
    trained_.null_checksum = of_set.null_checksum;
    trained_.source = of_set.source;
  }
  const TextSpace given = TextSpace::of(texts, text_);
  trained_.require_same(given, option);
  remarks_ = trained_.not_compared(given, option);
}

RequestedTexts TextOptions::of_set(const TrainedData& data, const ModelConfig& model) {
  require<UsageError>(data.description.has_value(), "sample", "--text {}: {}: --data names it",
                      text_, data.absence());
  dataset_ = std::make_unique<data::Dataset>(data.path);
  require<DataError>(dataset_->description().text.present(), "sample", "--text {}: {} has no texts",
                     text_, data.path.string());
  compare(dataset_->description().text, data);
  const std::uint64_t samples = dataset_->size();
  require<UsageError>(first_ < samples, "sample", "--text {}: {} has samples 0 to {}", text_,
                      data.path.string(), samples - 1);
  return texts_of(*dataset_, model, [first = first_, samples](std::int64_t picture) {
    return (first + static_cast<std::uint64_t>(picture)) % samples;
  });
}

void TextOptions::add_facts(nlohmann::ordered_json& notes) const {
  if (!text_.empty()) notes["text"] = text_;
  if (!caption_.empty()) notes["caption"] = caption_;
}

}  // namespace edt
