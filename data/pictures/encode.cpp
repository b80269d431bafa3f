#include "data/pictures/encode.h"

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/random/stream.h"
#include "core/storage/checksum.h"
#include "data/gradient_features.h"

namespace edt::data {

namespace {

bool counts_as_picture(const std::string& name) { return name[0] != '.' && is_picture_name(name); }

// Encoded values become what is stored, and one batch of them is appended to a shard.
class BatchEncoder {
 public:
  BatchEncoder(const EncodeOptions& options, Encoder& encoder)
      : options_(options), encoder_(encoder), info_(encoder.info()) {
    const auto side = static_cast<std::size_t>(options.image_size / info_.factor);
    latent_ = static_cast<std::size_t>(info_.channels) * side * side;
    picture_ = static_cast<std::size_t>(options.image_size) * options.image_size * 3;
    if (options.hog) gradients_.emplace("encode", options.image_size, info_.factor);
  }

  void begin() {
    pixels_.clear();
    labels_.clear();
    first_ = 0;
  }
  void add(const LoadedPicture& picture) {
    if (labels_.empty()) first_ = picture.index;
    pixels_.insert(pixels_.end(), picture.pixels.begin(), picture.pixels.end());
    labels_.push_back(picture.label);
  }
  void append_to(ShardWriter& shard) {
    const std::vector<float> stored = encode(false);
    std::vector<StoredSamples> arrays(gradients_ ? 1 : 0);
    if (gradients_) describe(arrays[0].plain);
    std::vector<float> flipped;
    if (options_.flipped) {
      mirror();
      flipped = encode(true);
      if (gradients_) describe(arrays[0].flipped);
    }
    shard.append(stored, flipped, labels_, arrays);
  }

 private:
  std::vector<float> encode(bool flipped) {
    const std::size_t values = info_.moments ? 2 * latent_ : latent_;
    std::vector<float> encoded(labels_.size() * values);
    encoder_.encode(pixels_, static_cast<int>(labels_.size()), options_.image_size, encoded);
    const auto shift = static_cast<float>(info_.shift);
    if (options_.moments) {  // the scale is applied when they are drawn from
      for (std::size_t i = 0; i < encoded.size(); ++i) {
        if (i % values < latent_) encoded[i] -= shift;
      }
      return encoded;
    }
    return latents(encoded, values, flipped);
  }

  // One draw for ever, the same that a run with this seed makes in its first epoch.
  std::vector<float> latents(std::span<const float> encoded, std::size_t values, bool flipped) {
    const auto scale = static_cast<float>(info_.scale), shift = static_cast<float>(info_.shift);
    std::vector<float> out(labels_.size() * latent_), noise(latent_);
    for (std::size_t p = 0; p < labels_.size(); ++p) {
      const auto z = encoded.subspan(p * values, values);
      if (info_.moments) {
        random::fill_normal({options_.seed, random::Purpose::kDataMoments, flipped ? 1u : 0u,
                             static_cast<std::uint32_t>(first_ + p)},
                            noise);
      }
      for (std::size_t i = 0; i < latent_; ++i) {
        const float drawn = info_.moments ? z[i] + z[latent_ + i] * noise[i] : z[i];
        out[p * latent_ + i] = (drawn - shift) * scale;
      }
    }
    return out;
  }

  void describe(StoredArray& out) const {
    std::vector<float> features(gradients_->elements());
    for (std::size_t p = 0; p < labels_.size(); ++p) {
      gradients_->compute(std::span(pixels_).subspan(p * picture_, picture_), features);
      append_stored(gradients_->array(false), features, out);
    }
  }

  void mirror() {
    const int size = options_.image_size;
    for (std::size_t row = 0; row < labels_.size() * static_cast<std::size_t>(size); ++row) {
      std::uint8_t* left = pixels_.data() + row * static_cast<std::size_t>(size) * 3;
      std::uint8_t* right = left + (size - 1) * 3;
      for (; left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
    }
  }

  const EncodeOptions& options_;
  Encoder& encoder_;
  EncoderInfo info_;
  std::size_t latent_ = 0, picture_ = 0;
  std::optional<GradientFeatures> gradients_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::int32_t> labels_;
  std::uint64_t first_ = 0;
};

}  // namespace

void require_encodable(const EncodeOptions& options, const EncoderInfo& encoder) {
  require<UsageError>(options.image_size % encoder.factor == 0, "encode",
                      "--image-size is {}, {} takes multiples of {} pixels", options.image_size,
                      encoder.name, encoder.factor);
  require<UsageError>(options.type == h5::Type::kFloat16 || options.type == h5::Type::kFloat32,
                      "encode", "element type {}: float16 or float32 can be stored",
                      h5::name_of(options.type));
  if (options.hog) (void)GradientFeatures("encode", options.image_size, encoder.factor);
  require<UsageError>(encoder.moments || !options.moments, "encode",
                      "--store moments: {} gives latents without a spread; --store latents",
                      encoder.name);
}

Provenance listing_provenance(const EncodeOptions& options) {
  constexpr const char* kOrders[] = {"auto", "name", "number"};
  Provenance p;
  for (std::size_t i = 0; i < options.list.pictures.size(); ++i) {
    const std::string name = i == 0 ? "--pictures" : fmt::format("--pictures {}", i + 1);
    p.add_input(name, options.list.pictures[i], [](const std::string& file) {
      return counts_as_picture(file) || is_archive_name(file);
    });
  }
  if (!options.list.labels.empty()) p.add_input("--labels", options.list.labels);
  p.add("--class-order", kOrders[static_cast<int>(options.list.class_order)]);
  p.add("--most-pixels", fmt::to_string(options.decode.most_pixels));
  return p;
}

Provenance encoding_provenance(const EncodeOptions& options, const EncoderInfo& encoder,
                               const PictureSources& sources) {
  Provenance p;
  p.add("made by", std::string("data encode, format 1"));
  const Provenance listing = listing_provenance(options);
  for (const auto& [name, value] : listing.entries()) p.add(name, value);
  p.add("--classes", fmt::to_string(classes_of(options.list, sources)));
  p.add("--image-size", fmt::to_string(options.image_size));
  p.add("--exif-orientation", options.decode.apply_orientation);
  p.add("--vae", encoder.name);
  p.add("--vae: checksum of the encoder", checksum_text(encoder.checksum));
  p.add("--vae: settings", encoder.settings);
  p.add("--vae: scale", fmt::to_string(encoder.scale));
  p.add("--vae: shift", fmt::to_string(encoder.shift));
  p.add("--store", std::string(options.moments ? "moments" : "latents"));
  p.add("--flipped", options.flipped);
  if (!options.moments) p.add("--seed", fmt::to_string(options.seed));
  if (options.hog) p.add("--hog", true);  // sets of earlier versions have no such entry
  p.add("--dtype", std::string(h5::name_of(options.type)));
  p.add("computed by", options.arithmetic);
  return p;
}

Description describe_encoding(const EncodeOptions& options, const EncoderInfo& encoder,
                              const PictureSources& sources) {
  Description d;
  d.channels = encoder.channels;
  d.height = d.width = options.image_size / encoder.factor;
  d.classes = classes_of(options.list, sources);
  d.class_names = sources.class_names;
  d.image_size = options.image_size;
  d.scale = encoder.scale;
  d.moments = options.moments;
  d.flipped = options.flipped;
  d.type = options.type;
  d.source = fmt::format("pictures of {}", options.list.pictures[0].string());
  d.shift = encoder.shift;
  if (options.hog) {
    d.arrays = {
        GradientFeatures("encode", options.image_size, encoder.factor).array(options.flipped)};
  }
  d.autoencoder = encoder.name;
  d.autoencoder_checksum = checksum_text(encoder.checksum);
  return d;
}

double encode_shards(const EncodeOptions& options, const PictureIndex& index, const ShardSet& set,
                     std::vector<std::uint64_t> shards, Encoder& encoder,
                     const EncodeHooks& hooks) {
  std::vector<PictureRange> ranges;
  ranges.reserve(shards.size());
  for (std::uint64_t shard : shards)
    ranges.push_back({set.first_sample(shard), set.size_of(shard)});
  const auto batch = static_cast<std::uint64_t>(options.batch);
  PictureLoader loader(index, std::move(ranges),
                       {.size = options.image_size,
                        .decode = options.decode,
                        .threads = options.threads,
                        .ahead = 2 * batch + 2 * static_cast<std::size_t>(options.threads)});
  BatchEncoder batches(options, encoder);
  for (std::uint64_t shard : shards) {
    const auto writer = set.write(shard);
    for (std::uint64_t first = 0; first < set.size_of(shard); first += batch) {
      const std::uint64_t count = std::min(batch, set.size_of(shard) - first);
      batches.begin();
      for (std::uint64_t i = 0; i < count; ++i) {
        const LoadedPicture& picture = loader.next();
        require<DataError>(!picture.broken, "encode", "{}: could be decoded before, and now: {}",
                           index.name_of(index.at(picture.index)), picture.broken.value_or(""));
        batches.add(picture);
      }
      batches.append_to(*writer);
      hooks.done(static_cast<int>(count));
    }
    writer->complete();
    hooks.complete(*writer);
  }
  return loader.seconds_waited();
}

}  // namespace edt::data
