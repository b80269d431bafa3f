#include "model/autoencoder/autoencoder.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"
#include "core/storage/half.h"
#include "model/autoencoder/parts.h"
#include "model/autoencoder/tiles.h"

namespace edt {
namespace {

// [h, w, c] -> [c, h, w], appended.
void append_planes(const Picture& picture, std::vector<float>& out) {
  for (std::int64_t c = 0; c < picture.channels; ++c) {
    for (std::int64_t i = 0; i < picture.height * picture.width; ++i) {
      out.push_back(picture.values[static_cast<std::size_t>(i * picture.channels + c)]);
    }
  }
}

// [c, h, w] -> [h, w, c]
Picture from_planes(std::span<const float> planes, std::int64_t channels, PictureSize size) {
  Picture picture(size.height, size.width, channels);
  for (std::int64_t i = 0; i < size.pixels(); ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      picture.values[static_cast<std::size_t>(i * channels + c)] =
          planes[static_cast<std::size_t>(c * size.pixels() + i)];
    }
  }
  return picture;
}

std::int64_t side_of(std::int64_t side, std::int64_t factor, bool up) {
  return (side + (up ? factor - 1 : 0)) / factor;
}

}  // namespace

std::string AutoencoderInfo::name() const {
  return fmt::format("{} f{} c{}", kind, factor, channels);
}

PictureSize AutoencoderInfo::latent_size(PictureSize size) const {
  return {side_of(size.height, factor, rounds_up), side_of(size.width, factor, rounds_up)};
}

Autoencoder::Autoencoder(AutoencoderParts parts, Backend& backend,
                         const AutoencoderOptions& options)
    : info_(std::move(parts.info)),
      options_(options),
      backend_(backend),
      arena_(backend.memory()),
      encoder_(std::move(parts.encoder)),
      decoder_(std::move(parts.decoder)),
      unit_pictures_(parts.unit_pictures),
      squashes_latents_(parts.squashes_latents) {
  require<UsageError>(options.tile >= 0 && options.tile % (4 * info_.factor) == 0, "vae",
                      "tiles of {} pixels: must be a multiple of {}, four latents of {}",
                      options.tile, 4 * info_.factor, info_.name());
}

Autoencoder::~Autoencoder() = default;

Picture Autoencoder::pass(const PictureNetwork& network, const Picture& x) {
  Tape tape(backend_, arena_, profiler_, DType::kFloat32);
  const Tape::NoGrad inference(tape);
  Picture result;
  {
    Var in = tape.make({1, x.height, x.width, x.channels});
    backend_.upload_floats(x.values, in.tensor());
    PicturePass pass{tape, calls_};
    const Var out = network.run(pass, std::move(in));
    const Shape shape = out.shape();
    result = Picture(shape[1], shape[2], shape[3]);
    backend_.download(out.tensor(), result.values.data());
  }
  return result;
}

Picture Autoencoder::encode_one(const Picture& picture) {
  const auto run = [&](const Picture& part) -> Picture {
    const PictureSize latent = info_.latent_size({part.height, part.width});
    if (latent.height == 0 || latent.width == 0) return {};
    return pass(*encoder_, part);
  };
  const bool tiles = options_.tile > 0 && std::max(picture.height, picture.width) > options_.tile;
  return tiles ? in_tiles(picture, {options_.tile, options_.tile / info_.factor}, run)
               : run(picture);
}

Picture Autoencoder::decode_one(const Picture& z) {
  const auto run = [&](const Picture& part) { return pass(*decoder_, part); };
  const std::int64_t tile = options_.tile / info_.factor;
  return tile > 0 && std::max(z.height, z.width) > tile ? in_tiles(z, {tile, options_.tile}, run)
                                                        : run(z);
}

std::vector<float> Autoencoder::encode_raw(std::span<const float> pictures, PictureSize size) {
  require<UsageError>(info_.has_encoder, "vae", "{} holds a decoder alone", info_.path.string());
  EDT_ASSERT(encoder_ != nullptr);  // AutoencoderUse
  const PictureSize latent = info_.latent_size(size);
  require<UsageError>(latent.height >= 1 && latent.width >= 1, "vae",
                      "a picture of {} x {} is smaller than one latent of {}, {} x {}", size.width,
                      size.height, info_.name(), info_.factor, info_.factor);
  require<UsageError>(
      !info_.whole_latents || (size.height % info_.factor == 0 && size.width % info_.factor == 0),
      "vae", "a picture of {} x {}: {} takes sides that are multiples of {}", size.width,
      size.height, info_.name(), info_.factor);
  const auto values = static_cast<std::size_t>(3 * size.pixels());
  EDT_ASSERT(pictures.size() % values == 0);
  std::vector<float> result;
  result.reserve(pictures.size() / values *
                 static_cast<std::size_t>(info_.encoded_channels() * latent.pixels()));
  // One at a time: what a picture gives, to the bit, does not depend on those beside it.
  for (std::size_t at = 0; at < pictures.size(); at += values) {
    Picture picture(size.height, size.width, 3);
    std::copy_n(pictures.begin() + static_cast<std::ptrdiff_t>(at), values, picture.values.begin());
    if (unit_pictures_) {
      for (float& value : picture.values) value = (value + 1) / 2;
    }
    const Picture encoded = encode_one(picture);
    require<NumericError>(all_finite(encoded.values), "vae",
                          "picture {}: the encoder of {} gives NaN or infinity", at / values,
                          info_.path.string());
    append_planes(encoded, result);
  }
  return result;
}

std::vector<float> Autoencoder::encode(std::span<const float> pictures, PictureSize size) {
  std::vector<float> result = encode_raw(pictures, size);
  if (!info_.moments) return result;
  const auto each =
      static_cast<std::size_t>(info_.encoded_channels() * info_.latent_size(size).pixels());
  for (std::size_t at = 0; at < result.size(); at += each) {
    log_variances_to_deviations(std::span(result).subspan(at, each));
  }
  return result;
}

std::vector<float> Autoencoder::encode(std::span<const std::uint8_t> pictures, PictureSize size) {
  std::vector<float> values(pictures.size());
  bytes_to_values(pictures, values);
  return encode(std::span<const float>(values), size);
}

std::vector<float> Autoencoder::decode(std::span<const float> latents, PictureSize latent_size) {
  require<UsageError>(info_.has_decoder, "vae", "{} holds an encoder alone", info_.path.string());
  EDT_ASSERT(decoder_ != nullptr);  // AutoencoderUse
  const auto each = static_cast<std::size_t>(info_.channels * latent_size.pixels());
  EDT_ASSERT(each > 0 && latents.size() % each == 0);
  std::vector<float> result;
  for (std::size_t at = 0; at < latents.size(); at += each) {
    Picture z = from_planes(latents.subspan(at, each), info_.channels, latent_size);
    if (squashes_latents_) {
      for (float& value : z.values) value = 3 * std::tanh(value / 3);
    }
    Picture picture = decode_one(z);
    require<NumericError>(all_finite(picture.values), "vae",
                          "picture {}: the decoder of {} gives NaN or infinity", at / each,
                          info_.path.string());
    if (unit_pictures_) {
      for (float& value : picture.values) value = 2 * value - 1;
    }
    result.insert(result.end(), picture.values.begin(), picture.values.end());
  }
  return result;
}

void Autoencoder::unscale(std::span<float> latents) const {
  const auto scale = static_cast<float>(info_.scale), shift = static_cast<float>(info_.shift);
  for (float& value : latents) value = value / scale + shift;
}

void Autoencoder::rescale(std::span<float> latents) const {
  const auto scale = static_cast<float>(info_.scale), shift = static_cast<float>(info_.shift);
  for (float& value : latents) value = (value - shift) * scale;
}

void log_variances_to_deviations(std::span<float> moments) {
  for (float& value : moments.subspan(moments.size() / 2)) {
    value = std::exp(0.5f * std::clamp(value, -30.f, 20.f));
  }
}

void bytes_to_values(std::span<const std::uint8_t> bytes, std::span<float> values) {
  static const auto kTable = [] {
    std::array<float, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
      const float unit = static_cast<float>(i) / 255.f;
      table[i] = (unit - 0.5f) / 0.5f;
    }
    return table;
  }();
  EDT_ASSERT(bytes.size() == values.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) values[i] = kTable[bytes[i]];
}

void values_to_bytes(std::span<const float> values, std::span<std::uint8_t> bytes) {
  EDT_ASSERT(bytes.size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float byte = 127.5f * values[i] + 128.f;
    bytes[i] = byte > 0 ? static_cast<std::uint8_t>(std::min(byte, 255.f)) : std::uint8_t{0};
  }
}

}  // namespace edt
