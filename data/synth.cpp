#include "data/synth.h"

#include <algorithm>

#include "core/base/error.h"
#include "data/patch_transform.h"
#include "data/synth_picture.h"
#include "data/writer.h"

namespace edt::data {

namespace {

Image mirrored(const Image& image) {
  Image result(image.width, image.height);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      std::copy_n(image.pixel(x, y), 3, result.pixel(image.width - 1 - x, y));
    }
  }
  return result;
}

Description describe_synth(const SynthOptions& options, const PatchTransform& transform) {
  Description d;
  d.channels = PatchTransform::kChannels;
  d.height = d.width = transform.latent_size();
  d.classes = options.classes;
  d.image_size = options.image_size;
  d.flipped = options.flipped;
  d.channel_mean.assign(PatchTransform::kChannels, 0);
  d.channel_std.assign(PatchTransform::kChannels, 1);
  d.decoder = transform.decoder();
  const auto& names = synth_class_names();
  d.class_names.assign(names.begin(), names.begin() + options.classes);
  d.source = fmt::format("synthetic pictures, seed {}", options.seed);
  return d;
}

Provenance provenance_of_synth(const SynthOptions& options) {
  Provenance p;
  p.add("made by", "data synth, format 1");
  p.add("--image-size", fmt::to_string(options.image_size));
  p.add("--classes", fmt::to_string(options.classes));
  p.add("--seed", fmt::to_string(options.seed));
  p.add("--flipped", options.flipped);
  return p;
}

}  // namespace

WriteReport synthesize(const SynthOptions& options, const Progress& progress) {
  const int most = static_cast<int>(synth_class_names().size());
  require<UsageError>(options.classes >= 1 && options.classes <= most, "synth",
                      "{} classes asked for, 1 to {} can be drawn", options.classes, most);
  const PatchTransform transform(options.image_size);
  const Description description = describe_synth(options, transform);
  DatasetWriter writer(options.out, description, options.samples,
                       {.samples_per_shard = options.samples_per_shard,
                        .provenance = provenance_of_synth(options),
                        .replace = options.replace});
  std::vector<float> latent(description.latent_elements()),
      flipped(options.flipped ? latent.size() : 0);
  while (writer.next_sample() < options.samples) {
    const std::uint64_t i = writer.next_sample();
    const std::int32_t label =
        static_cast<std::int32_t>(i % static_cast<std::uint64_t>(options.classes));
    const Image image =
        draw_synth_picture(label, options.image_size, options.seed, static_cast<std::uint32_t>(i));
    transform.encode(image, latent);
    if (options.flipped) transform.encode(mirrored(image), flipped);
    writer.append(latent, flipped, std::span(&label, 1));
    if (progress) progress(writer.next_sample(), options.samples);
  }
  return writer.finish();
}

}  // namespace edt::data
