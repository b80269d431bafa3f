#include "data/synth.h"

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "data/caption_encoder.h"
#include "data/captioned_picture.h"
#include "data/gradient_features.h"
#include "data/patch_transform.h"
#include "data/synth_picture.h"
#include "data/text_file.h"
#include "data/walk.h"
#include "data/writer.h"

namespace edt::data {

namespace {

constexpr std::uint64_t kAtOnce = 256;  // pictures: enough for many cores, little to hold

// Some consecutive pictures as latents, drawn on all cores.
struct Pictures {
  Pictures(const SynthOptions& options, const PatchTransform& transform, std::size_t elements)
      : options_(options), transform_(transform), elements_(elements) {
    if (options.hog) gradients_.emplace("synth", options.image_size, options.vae_factor);
  }

  void draw(std::uint64_t first, std::uint64_t count) {
    labels.resize(count);
    latents.resize(count * elements_);
    flipped.resize(options_.flipped ? latents.size() : 0);
    const std::size_t features = gradients_ ? count * gradients_->elements() : 0;
    features_.resize(features);
    flipped_features_.resize(options_.flipped ? features : 0);
#pragma omp parallel for schedule(dynamic, 4)
    for (std::uint64_t i = 0; i < count; ++i) draw_one(first + i, i);
    store_features();
    texts.clear();
    for (std::uint64_t i = 0; options_.captions && i < count; ++i) {
      append_caption(caption_of(words(first + i)), true, texts);
    }
  }

  std::vector<float> latents, flipped;
  std::vector<std::int32_t> labels;
  std::vector<StoredSamples> arrays;  // beside them
  StoredTexts texts;

 private:
  PictureWords words(std::uint64_t sample) const {
    return draw_picture_words(options_.seed, static_cast<std::uint32_t>(sample));
  }
  Image draw_picture(std::uint64_t sample, std::int32_t& label) const {
    const auto number = static_cast<std::uint32_t>(sample);
    if (options_.captions) {
      label = words(sample).shape;
      return draw_captioned_picture(words(sample), options_.image_size, options_.seed, number);
    }
    label = static_cast<std::int32_t>(sample % static_cast<std::uint64_t>(options_.classes));
    return draw_synth_picture(label, options_.image_size, options_.seed, number);
  }
  void describe(const Image& image, std::uint64_t i, std::vector<float>& features) {
    if (!gradients_) return;
    const std::size_t each = gradients_->elements();
    gradients_->compute(image.pixels, std::span(features).subspan(i * each, each));
  }
  void store_features() {
    if (!gradients_) return;
    arrays.assign(1, {});
    const SampleArray array = gradients_->array(options_.flipped);
    append_stored(array, features_, arrays[0].plain);
    append_stored(array, flipped_features_, arrays[0].flipped);
  }
  void draw_one(std::uint64_t sample, std::uint64_t i) {
    const Image image = draw_picture(sample, labels[i]);
    transform_.encode(image, std::span(latents).subspan(i * elements_, elements_));
    describe(image, i, features_);
    if (!options_.flipped) return;
    const Image mirror = mirrored(image);
    transform_.encode(mirror, std::span(flipped).subspan(i * elements_, elements_));
    describe(mirror, i, flipped_features_);
  }

  const SynthOptions& options_;
  const PatchTransform& transform_;
  std::size_t elements_;
  std::optional<GradientFeatures> gradients_;
  std::vector<float> features_, flipped_features_;
};

Description describe_synth(const SynthOptions& options, const PatchTransform& transform) {
  Description d;
  d.channels = transform.channels();
  d.height = d.width = transform.latent_size();
  d.classes = options.captions ? static_cast<int>(kShapeWords.size()) : options.classes;
  d.image_size = options.image_size;
  d.flipped = options.flipped;
  d.channel_mean.assign(static_cast<std::size_t>(d.channels), 0);
  d.channel_std = transform.channel_std();
  d.decoder = transform.decoder();
  const auto& names = synth_class_names();
  d.class_names.assign(names.begin(), names.begin() + options.classes);
  if (options.captions) {
    d.class_names.assign(kShapeWords.begin(), kShapeWords.end());
    d.text = caption_texts(kMostCaptionWords, true);
  }
  d.source = fmt::format("synthetic pictures, seed {}", options.seed);
  if (options.hog) {
    d.arrays = {
        GradientFeatures("synth", options.image_size, options.vae_factor).array(options.flipped)};
  }
  return d;
}

Provenance provenance_of_synth(const SynthOptions& options) {
  Provenance p;
  const bool many = options.channels == PatchTransform::kMany;
  p.add("made by", many ? "data synth, format 2" : "data synth, format 1");
  p.add("--image-size", fmt::to_string(options.image_size));
  if (options.captions) {
    p.add("--captions", std::string("format 1"));
  } else {
    p.add("--classes", fmt::to_string(options.classes));
  }
  p.add("--seed", fmt::to_string(options.seed));
  p.add("--flipped", options.flipped);
  if (options.hog) p.add("--hog", true);  // sets of earlier versions have no such entries
  if (options.channels != PatchTransform::kFew) {
    p.add("--channels", fmt::to_string(options.channels));
  }
  if (options.vae_factor != PatchTransform::kLarge) {
    p.add("--vae-factor", fmt::to_string(options.vae_factor));
  }
  return p;
}

void write_held_out(const std::filesystem::path& path) {
  StoredTexts texts;
  for (const PictureWords& words : held_out_words()) {
    append_caption(caption_of(words), true, texts);
  }
  write_text_file(path, caption_texts(kMostCaptionWords, true), texts);
}

void check_captions(const SynthOptions& options) {
  require<UsageError>(!options.captions || !options.flipped, "synth",
                      "--captions and --flipped: a mirrored picture contradicts a caption with "
                      "'left' or 'right'");
  require<UsageError>(options.captions || options.held_out.empty(), "synth",
                      "--held-out has no effect without --captions");
  require<UsageError>(options.held_out.empty() || !lies_in(options.held_out, options.out), "synth",
                      "--held-out {} lies in {}, whose files are all shards",
                      options.held_out.string(), options.out.string());
}

}  // namespace

WriteReport synthesize(const SynthOptions& options, const Progress& progress) {
  if (options.length > 0) return synthesize_sequences(options, progress);
  const int most = static_cast<int>(synth_class_names().size());
  require<UsageError>(options.classes >= 1 && options.classes <= most, "synth",
                      "{} classes asked for, 1 to {} can be drawn", options.classes, most);
  require<UsageError>(
      options.channels == PatchTransform::kFew || options.channels == PatchTransform::kMany,
      "synth", "latents of {} channels asked for, {} and {} can be made", options.channels,
      PatchTransform::kFew, PatchTransform::kMany);
  require<UsageError>(
      options.vae_factor == PatchTransform::kSmall || options.vae_factor == PatchTransform::kLarge,
      "synth", "--vae-factor {} asked for, {} and {} can be made", options.vae_factor,
      PatchTransform::kSmall, PatchTransform::kLarge);
  check_captions(options);
  const PatchTransform transform(options.image_size, options.channels, options.vae_factor,
                                 options.captions);
  const Description description = describe_synth(options, transform);
  DatasetWriterOptions writing{.samples_per_shard = options.samples_per_shard,
                               .provenance = provenance_of_synth(options),
                               .replace = options.replace};
  if (options.captions) {
    writing.text_tokens = [&](std::uint64_t sample) {
      const auto number = static_cast<std::uint32_t>(sample);
      return caption_words(caption_of(draw_picture_words(options.seed, number))).size();
    };
  }
  DatasetWriter writer(options.out, description, options.samples, writing);
  Pictures pictures(options, transform, description.latent_elements());
  while (writer.next_sample() < options.samples) {
    pictures.draw(writer.next_sample(), std::min(writer.room(), kAtOnce));
    writer.append(pictures.latents, pictures.flipped, pictures.labels, pictures.arrays,
                  pictures.texts);
    if (progress) progress(writer.next_sample(), options.samples);
  }
  const WriteReport report = writer.finish();
  if (!options.held_out.empty()) write_held_out(options.held_out);
  return report;
}

}  // namespace edt::data
