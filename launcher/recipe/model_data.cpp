#include "launcher/recipe/model_data.h"

#include <algorithm>

#include "core/base/error.h"
#include "model/families/presets.h"

namespace edt {

namespace {

// Of a data set of sequences, the numbers of the condition of each frame; 0: there are none.
std::int64_t frame_channels_of(const data::Description& data) {
  const auto found = std::ranges::find(data.arrays, kFrameArray, &data::SampleArray::name);
  if (found == data.arrays.end()) return 0;
  require<DataError>(found->shape.size() == 2, "data",
                     "'{}' of the data set is {} for each sequence: a condition of each frame, "
                     "frames x numbers, is needed",
                     kFrameArray, data::text_of(*found));
  return static_cast<std::int64_t>(found->shape[1]);
}

// A size of the model is the data set's; UsageError where another is given.
void take(const char* option, std::int64_t of_data, std::string_view of_what,
          const OptionSet& given, std::optional<std::int64_t>& size) {
  require<UsageError>(!given.given(option) || size == of_data, "data",
                      "{} is {}, and the data set has {} {}", option, size.value_or(0), of_data,
                      of_what);
  size = of_data;
}

void take_sequences_of(const data::Description& data, const OptionSet& given, ModelOptions& model) {
  take("model.channels", data.channels, "numbers in each frame", given, model.channels);
  take("model.sequence-length", data.width, "frames in each sequence", given, model.length);
  if (given.given("model.frame-channels") && model.frame_channels == 0) return;
  take("model.frame-channels", frame_channels_of(data), "numbers in the condition of each frame",
       given, model.frame_channels);
}

}  // namespace

// Data sets that were written by hand may say any size of pictures: one that is given tells how
// many pixels a latent stands for.
void take_latents_of(const data::Description& data, const OptionSet& given, ModelOptions& model) {
  if (data.is_sequence()) return take_sequences_of(data, given, model);
  require<UsageError>(!model_preset(model.preset).latents().is_sequence(), "model",
                      "model.preset {} is of sequences, and the data set holds latents of {} x {} "
                      "x {}, of pictures",
                      model.preset, data.channels, data.height, data.width);
  const bool has_size = given.given("model.image-size");
  if (!given.given("model.channels")) model.channels = data.channels;
  if (!given.given("model.vae-factor")) {
    const bool is_eighth = has_size && model.image_size == 8 * std::int64_t{data.height};
    model.vae_factor = is_eighth ? 8 : data.factor();
  }
  const std::int64_t factor = *model.vae_factor;
  if (!has_size) model.image_size = factor * data.height;
  if (!given.given("model.image-width") && data.width != data.height) {
    model.image_width = factor * data.width;
  }
}

void take_features_of(const data::Description& data, const OptionSet& given, AlignOptions& align) {
  if (!align.resolve().features || given.given("align.features.dims")) return;
  for (const std::string& name : align.arrays) {
    const auto found = std::ranges::find(data.arrays, name, &data::SampleArray::name);
    require<DataError>(found != data.arrays.end(), "data",
                       "align.features.arrays: the data set has no '{}' beside its latents; there "
                       "are: {}",
                       name, data::text_of(data.arrays));
    require<DataError>(found->shape.size() == 2, "data",
                       "align.features.arrays: '{}' is {} for each sample, tokens of numbers are "
                       "needed",
                       name, data::text_of(*found));
    align.dims.push_back(static_cast<std::int64_t>(found->shape[1]));
  }
}

void take_texts_of(const data::Description& data, const OptionSet& given, ModelOptions& model) {
  if (!model.reads_texts()) return;
  const data::TextDescription& text = data.text;
  require<DataError>(text.present(), "data",
                     "model.preset {} {}, and the data set has none: edt data import --text and "
                     "edt data repack --text put them beside latents",
                     model.preset,
                     model.text.form ? "is to read texts (model.text-form)" : "reads texts");
  const auto tokens = static_cast<std::int64_t>(std::max(text.tokens, text.null_tokens()));
  require<UsageError>(!given.given("model.text-tokens") || model.text.tokens >= tokens, "data",
                      "model.text-tokens is {}, and the data set has texts of up to {} tokens",
                      model.text.tokens.value_or(0), tokens);
  if (!given.given("model.text-tokens")) model.text.tokens = tokens;
  take("model.text-channels", static_cast<std::int64_t>(text.channels),
       "numbers in each token of its texts", given, model.text.channels);
  if (text.encoder.empty()) return;
  const std::string& encoder = model.text.encoder;
  require<UsageError>(encoder == kUnknownEncoder || encoder == text.encoder, "data",
                      "model.text-encoder is '{}', the texts of the data set are of '{}'", encoder,
                      text.encoder);
  model.text.encoder = text.encoder;
}

void take_data(const data::Description& data, const OptionSet& given, TrainConfig& config) {
  take_latents_of(data, given, config.model);
  take_features_of(data, given, config.align);
  take_texts_of(data, given, config.model);
}

void require_fits(const data::TextDescription& texts, const ModelConfig& model,
                  const std::string& label) {
  const TextConfig& text = model.common().text;
  require<DataError>(texts.present(), "data", "{} has no texts, which {} reads", label,
                     model.name());
  const auto channels = static_cast<std::int64_t>(texts.channels),
             tokens = static_cast<std::int64_t>(std::max(texts.tokens, texts.null_tokens()));
  require<DataError>(channels == text.channels && tokens <= text.tokens, "data",
                     "{}: texts of up to {} tokens with {} channels, {} reads {} tokens with {} "
                     "(model.text-tokens, model.text-channels)",
                     label, tokens, channels, model.name(), text.tokens, text.channels);
}

RequestedTexts texts_of(const data::Dataset& dataset, const ModelConfig& model,
                        std::function<std::uint64_t(std::int64_t picture)> which) {
  if (!model.common().text.is_on()) return {};
  require_fits(dataset.description().text, model, dataset.path().string());
  return {[&dataset, which = std::move(which)](std::int64_t picture) {
            return dataset.text_of(which(picture));
          },
          dataset.null_text()};
}

void take_texts(const data::Dataset& dataset, const ModelConfig& model,
                const std::function<std::uint64_t(std::int64_t picture)>& which,
                PictureRequest& request) {
  request.texts = texts_of(dataset, model, which);
  if (!request.texts.of || model.classes() == 0) return;
  for (std::size_t i = 0; i < request.labels.size(); ++i) {
    request.labels[i] = dataset.label(which(static_cast<std::int64_t>(i)));
  }
}

std::vector<data::ArrayRequest> array_requests(const ModelConfig& model) {
  std::vector<data::ArrayRequest> requests;
  for (const ArrayRequest& request : model.common().arrays()) {
    requests.push_back({request.name, {request.shape.begin(), request.shape.end()}});
  }
  return requests;
}

std::vector<data::ArrayRequest> array_requests(const TrainConfig& config,
                                               const ModelConfig& model) {
  std::vector<data::ArrayRequest> requests = array_requests(model);
  for (const ArrayRequest& request : config.align.resolve().arrays(model)) {
    requests.push_back({request.name, {request.shape.begin(), request.shape.end()}});
  }
  return requests;
}

void require_no_conditions(const ModelConfig& model, std::string_view command) {
  require<UsageError>(!model.common().text.is_on(), "model",
                      "{} reads texts, and {} has none to give", model.name(), command);
  require_no_frames(model, command);
}

void require_no_frames(const ModelConfig& model, std::string_view command) {
  require<UsageError>(
      model.common().frame_channels == 0, "model",
      "{} reads a condition of {} numbers of each frame (model.frame-channels), and "
      "{} has none to give",
      model.name(), model.common().frame_channels, command);
}

void require_fits(const data::Dataset& dataset, const ModelConfig& model,
                  std::string_view size_option) {
  const LatentShape& latents = model.latents();
  dataset.require_fits(static_cast<int>(latents.channels), static_cast<int>(latents.height),
                       static_cast<int>(latents.width), static_cast<int>(model.classes()),
                       size_option);
}

}  // namespace edt
