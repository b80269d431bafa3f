// edt vae info | encode | decode | check.
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "core/image/decode.h"
#include "core/image/png.h"
#include "core/image/resample.h"
#include "core/json/json_text.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/input_file.h"
#include "core/storage/missing_path.h"
#include "launcher/autoencoder/latents_input.h"
#include "launcher/autoencoder/vae_decoder.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/commands/table.h"
#include "launcher/device/device_options.h"
#include "launcher/sample/latents_file.h"
#include "launcher/sample/picture_output.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

std::string checksum_or_none(std::uint64_t checksum) {
  return checksum == 0 ? "none" : checksum_text(checksum);
}

nlohmann::ordered_json to_json(const AutoencoderInfo& info) {
  return {{"name", info.name()},
          {"path", info.path.string()},
          {"tensor_names", info.tensor_names},
          {"other_tensors", info.other_tensors},
          {"factor", info.factor},
          {"channels", info.channels},
          {"moments", info.moments},
          {"norm_groups", info.norm_groups},
          {"scale", info.scale},
          {"shift", info.shift},
          {"scale_origin", info.scale_origin.empty() ? "unknown" : info.scale_origin},
          {"encoder_parameters", info.encoder_parameters},
          {"decoder_parameters", info.decoder_parameters},
          {"encoder_checksum", checksum_or_none(info.encoder_checksum)},
          {"decoder_checksum", checksum_or_none(info.decoder_checksum)}};
}

void print_info(CommandContext& context, const AutoencoderInfo& info) {
  const auto line = [&](std::string_view name, const std::string& value) {
    context.print("{:14} {}\n", name, value);
  };
  const auto half = [&](bool there, std::int64_t parameters, std::uint64_t checksum) {
    return there
               ? fmt::format("{} parameters, checksum {}",
                             human_count(static_cast<double>(parameters)), checksum_text(checksum))
               : std::string("not in the file");
  };
  line("autoencoder", info.name());
  line("file", info.path.string());
  line("tensor names", info.tensor_names);
  line("passed over", counted(info.other_tensors, "tensor"));
  line("latents",
       fmt::format("{} channels, one for {} x {} pixels, {}", info.channels, info.factor,
                   info.factor, info.moments ? "mean and deviation of each" : "without a spread"));
  if (info.norm_groups > 0) line("norms", fmt::format("{} groups", info.norm_groups));
  line("scale", info.scale_origin.empty()
                    ? std::string("not known: --vae-scale and --vae-shift say it")
                    : fmt::format("{}, shift {} ({})", info.scale, info.shift, info.scale_origin));
  line("encoder", half(info.has_encoder, info.encoder_parameters, info.encoder_checksum));
  line("decoder", half(info.has_decoder, info.decoder_parameters, info.decoder_checksum));
}

Image read_picture(const std::filesystem::path& path) {
  std::error_code code;
  const bool is_folder = std::filesystem::is_directory(path, code);
  require<UsageError>(std::filesystem::is_regular_file(path, code), "vae", "{}: {}", path.string(),
                      is_folder ? "is a folder, a picture is needed"
                                : "there is no such file" + missing_path_hint(path));
  const InputFile file(path);
  std::vector<std::byte> bytes(file.size());
  file.read(0, bytes);
  return decode_picture(bytes, path.string());
}

// Pictures of files one after the other, all of one size: cut from the middle as ADM's extractor
// does it, or as they are.
class PictureFiles {
 public:
  PictureFiles(std::vector<std::filesystem::path> paths, int image_size)
      : paths_(std::move(paths)), image_size_(image_size) {}

  std::size_t count() const { return paths_.size(); }
  const std::filesystem::path& path(std::size_t i) const { return paths_[i]; }

  Image read(std::size_t i) {
    Image image = read_picture(paths_[i]);
    if (image_size_ > 0) image = centre_crop(std::move(image), image_size_);
    const PictureSize size{image.height, image.width};
    if (i == 0) first_ = size;
    require<UsageError>(size == first_, "vae",
                        "{} is {} x {}, {} is {} x {}: --image-size cuts them to one size",
                        paths_[i].string(), size.width, size.height, paths_[0].string(),
                        first_.width, first_.height);
    return image;
  }

 private:
  std::vector<std::filesystem::path> paths_;
  int image_size_;
  PictureSize first_;
};

struct PictureOptions {
  std::vector<std::filesystem::path> pictures;
  int image_size = 0;

  void declare(OptionSet& options) {
    options.add("pictures", &pictures, "JPEG, PNG and WebP files").positional_list().required();
    options
        .add("image-size", &image_size,
             "cut the middle to this many pixels a side, as ADM's and EDT's extractors do; 0: as "
             "they are")
        .unit("pixels")
        .range(0, 1 << 15);
  }
};

// What a file of latents says of itself, as that of edt sample.
nlohmann::ordered_json notes_of(const AutoencoderInfo& info, PictureSize size) {
  nlohmann::ordered_json notes{{"format", "edt-latents"},
                               {"format_version", 1},
                               {"layout", "N, C, H, W"},
                               {"channels", info.channels},
                               {"image_size", size.height},
                               {"pixels_per_latent", info.factor},
                               {"decode", "latents of the VAE = latents / scale + shift"},
                               {"scale", info.scale},
                               {"shift", info.shift},
                               {"autoencoder", info.name()},
                               {"autoencoder_checksum", checksum_text(info.encoder_checksum)}};
  if (size.width != size.height) notes["image_width"] = size.width;
  return notes;
}

// The mean of each posterior, or the latent itself, as a model sees it.
std::vector<float> latents_of(const Autoencoder& vae, std::vector<float> encoded) {
  if (vae.info().moments) encoded.resize(encoded.size() / 2);
  vae.rescale(encoded);
  return encoded;
}

Image image_of(std::span<const float> pixels, PictureSize size) {
  Image image(static_cast<int>(size.width), static_cast<int>(size.height));
  values_to_bytes(pixels, image.pixels);
  return image;
}

double psnr(const Image& a, const Image& b) {
  double error = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const double d = static_cast<double>(a.pixels[i]) - b.pixels[i];
    error += d * d;
  }
  error /= static_cast<double>(a.pixels.size());
  return 10 * std::log10(255.0 * 255.0 / error);
}

}  // namespace

int vae_info(std::span<const std::string> args, CommandContext& context) {
  VaeOptions vae;
  bool as_json = false;
  OptionSet options("vae info", "What an autoencoder's weights are: structure, scale, checksums.");
  vae.declare(options, "safetensors file, or a folder as diffusers saves one", false)
      .positional()
      .required();
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;
  const auto backend = DeviceOptions().make_backend(context.world);
  const auto network = vae.load(*backend);
  if (as_json) {
    context.print("{}\n", dump_json(to_json(network->info()), 2));
  } else {
    print_info(context, network->info());
  }
  return kDone;
}

int vae_encode(std::span<const std::string> args, CommandContext& context) {
  VaeOptions vae;
  PictureOptions source;
  DeviceOptions device;
  std::filesystem::path out;
  OptionSet options(
      "vae encode",
      "Pictures to latents, in float32: the means of their posteriors, as a model sees "
      "them. edt data encode makes data sets.");
  source.declare(options);
  vae.declare(options, "weights of the autoencoder", false).required();
  options.add("out", &out, "HDF5 or .safetensors file of the latents").required();
  device.declare(options, "");
  if (!read_options(options, args, context)) return kDone;
  if (out.has_parent_path()) require_directory(out.parent_path(), "--out");
  require_writable(out, "--out", kLatentsExtensions);
  require_not_read(out, "--out", vae.path);
  const auto backend = device.make_backend(context.world);
  vae.network.use = AutoencoderUse::kEncoding;
  const auto network = vae.load(*backend);
  require_scale(network->info());
  PictureFiles files(source.pictures, source.image_size);
  Image image = files.read(0);
  const PictureSize size{image.height, image.width};
  const PictureSize latent = network->info().latent_size(size);
  std::vector<float> first = latents_of(*network, network->encode(image.pixels, size));
  const std::vector<std::int32_t> labels(files.count(), 0);
  const auto writer = LatentsFile::create(
      out,
      {files.count(), static_cast<std::uint64_t>(network->info().channels),
       static_cast<std::uint64_t>(latent.height), static_cast<std::uint64_t>(latent.width)},
      labels, notes_of(network->info(), size));
  const auto begin = Clock::now();
  writer->append(first);
  for (std::size_t i = 1; i < files.count(); ++i) {
    image = files.read(i);
    writer->append(latents_of(*network, network->encode(image.pixels, size)));
  }
  writer->finish();
  context.print("{} to {}, {} by {}, in {}\n", counted(files.count(), "picture"), out.string(),
                fmt::format("{} x {} x {}", network->info().channels, latent.height, latent.width),
                network->info().name(), human_duration(seconds_since(begin)));
  return kDone;
}

int vae_decode(std::span<const std::string> args, CommandContext& context) {
  VaeOptions vae;
  DeviceOptions device;
  std::filesystem::path file, grid, singles;
  int columns = 8;
  bool replace = false;
  OptionSet options("vae decode",
                    "Latents to pictures: those that edt sample or edt vae encode wrote.");
  options.add("latents", &file, "HDF5 or .safetensors file with latents [N, C, H, W]")
      .positional()
      .required();
  vae.declare(options, "weights of the autoencoder", true).required();
  options.add("out", &grid, "PNG grid of all pictures");
  options.add("out-dir", &singles, "directory of single PNGs");
  options.add("replace", &replace, "remove the pictures of an earlier call from out-dir");
  options.add("columns", &columns, "pictures in a row of the grid").range(1, 1000);
  device.declare(options, "");
  if (!read_options(options, args, context)) return kDone;
  require<UsageError>(!grid.empty() || !singles.empty(), "vae decode",
                      "nothing to write: give --out or --out-dir");
  require_places({.grid = grid, .singles = singles, .replace = replace});
  require_grid_for_columns(options.given("columns"), grid);
  for (const auto& [path, option] :
       {std::pair{grid.parent_path(), "--out"}, std::pair{singles, "--out-dir"}}) {
    if (!path.empty()) require_directory(path, option);
  }
  require_writable(grid, "--out", ".png");
  const auto replaced = earlier_pictures(singles, replace);
  const LatentsInput latents = read_latents(file);
  const auto backend = device.make_backend(context.world);
  vae.network.use = AutoencoderUse::kDecoding;
  auto network = vae.load(*backend);
  const AutoencoderInfo info = network->info();
  if (!latents.scaling) require_scale(info);
  require_same_encoder(info, latents.autoencoder_checksum, file.string());
  const VaeDecoder decoder(std::move(network), latents.channels,
                           latents.scaling.value_or(LatentScaling{info.scale, info.shift, {}, {}}));
  const auto height = static_cast<int>(latents.size.height);
  const auto width = static_cast<int>(latents.size.width);
  require_grid(grid, static_cast<std::size_t>(latents.count), columns,
               decoder.picture_size(height, width));
  context.run_started = true;
  if (!singles.empty()) make_directories(singles);
  for (const auto& path : replaced) std::filesystem::remove(path);
  const std::size_t each = latents.values.size() / static_cast<std::size_t>(latents.count);
  std::vector<Image> images;
  const auto begin = Clock::now();
  for (std::size_t i = 0; i * each < latents.values.size(); ++i) {
    const Image image =
        decoder.decode(std::span(latents.values).subspan(i * each, each), height, width);
    if (!singles.empty()) write_png(singles / fmt::format("{:06}.png", i), image);
    if (!grid.empty()) images.push_back(image);
  }
  if (!grid.empty()) write_png(grid, make_grid(images, columns, kGridGap));
  const PictureSize size = info.picture_size(latents.size);
  context.print("{} of {} x {} by {} in {}\n",
                counted(static_cast<std::uint64_t>(latents.count), "picture"), size.width,
                size.height, info.name(), human_duration(seconds_since(begin)));
  return kDone;
}

int vae_check(std::span<const std::string> args, CommandContext& context) {
  VaeOptions vae;
  PictureOptions source;
  DeviceOptions device;
  OptionSet options(
      "vae check",
      "Encodes and decodes pictures, and says how near they come back: about 24 dB for "
      "Stable Diffusion's autoencoder on photographs of 256 pixels.");
  source.declare(options);
  vae.declare(options, "weights of the autoencoder", true).required();
  device.declare(options, "");
  if (!read_options(options, args, context)) return kDone;
  const auto backend = device.make_backend(context.world);
  const auto network = vae.load(*backend);
  PictureFiles files(source.pictures, source.image_size);
  double sum = 0;
  for (std::size_t i = 0; i < files.count(); ++i) {
    const Image image = files.read(i);
    const PictureSize size{image.height, image.width};
    const PictureSize latent = network->info().latent_size(size);
    require<UsageError>(network->info().picture_size(latent) == size, "vae",
                        "{} is {} x {}, no multiple of {}: --image-size cuts it",
                        files.path(i).string(), size.width, size.height, network->info().factor);
    std::vector<float> z = network->encode(image.pixels, size);
    if (network->info().moments) z.resize(z.size() / 2);
    const double db = psnr(image, image_of(network->decode(z, latent), size));
    context.run_started = true;
    context.print("{:6.2f} dB  {}\n", db, files.path(i).string());
    sum += db;
  }
  context.print("{:6.2f} dB  mean of {}\n", sum / static_cast<double>(files.count()),
                counted(files.count(), "picture"));
  return kDone;
}

}  // namespace edt
