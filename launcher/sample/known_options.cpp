#include "launcher/sample/known_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/named_error.h"
#include "core/image/decode.h"
#include "core/storage/durable_file.h"
#include "core/storage/missing_path.h"
#include "data/dataset.h"
#include "launcher/autoencoder/latents_input.h"
#include "model/plan/autoencoder_run.h"

namespace edt {
namespace {

constexpr std::string_view kSet = "set:";
constexpr std::string_view kPicturesAreRead = "a picture (.png, .jpg, .webp) is read";
constexpr std::string_view kReadOfKeep =
    "latents (.h5, .hdf5, .safetensors: floating point, [N, C, H, W]), a picture (.png, .jpg, "
    ".webp) and set:NUMBER are read";

template <class T>
bool reads_as(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string size_text(std::int64_t width, std::int64_t height) {
  return fmt::format("{} x {}", width, height);
}

// Of a sequence, which a box is told of as of a picture of one row.
std::string picture_text(const LatentShape& latents) {
  if (latents.is_sequence()) return fmt::format("{} frames in one row", latents.width);
  return size_text(latents.width * latents.factor, latents.height * latents.factor);
}

// DataError unless it has the size of the model's pictures.
Image read_picture(std::string_view option, const std::filesystem::path& path,
                   const LatentShape& latents) {
  const std::string bytes = read_text(path, std::uint64_t{1} << 30);
  Image image = named_by(option, path.string(), kPicturesAreRead, [&] {
    return decode_picture(std::as_bytes(std::span(bytes)), path.string());
  });
  require<DataError>(image.width == latents.width * latents.factor &&
                         image.height == latents.height * latents.factor,
                     "sample", "{} {}: the picture is {} pixels, the model's are {}", option,
                     path.string(), size_text(image.width, image.height), picture_text(latents));
  return image;
}

void require_there(const std::filesystem::path& path, std::string_view option,
                   std::string_view what_is_read) {
  std::error_code code;
  require<UsageError>(!std::filesystem::is_directory(path, code), "sample",
                      "{} {}: is a folder; {}", option, path.string(), what_is_read);
  require<UsageError>(std::filesystem::is_regular_file(path, code), "sample",
                      "{} {}: there is no such file{}", option, path.string(),
                      missing_path_hint(path));
}

// Latents of the autoencoder, from and to what models see of them.
void to_autoencoder(std::span<float> latents, std::int64_t channels, const LatentScaling& s) {
  const std::size_t size = latents.size() / static_cast<std::size_t>(channels);
  for (std::size_t i = 0; i < latents.size(); ++i) {
    const std::size_t c = i / size;
    const double plain =
        latents[i] * (s.std.empty() ? 1 : s.std[c]) + (s.mean.empty() ? 0 : s.mean[c]);
    latents[i] = static_cast<float>(plain / s.scale + s.shift);
  }
}

// As the data set divides where it normalizes.
void to_model(std::span<float> latents, std::int64_t channels, const LatentSpace& s, double eps) {
  const std::size_t size = latents.size() / static_cast<std::size_t>(channels);
  for (std::size_t i = 0; i < latents.size(); ++i) {
    const std::size_t c = i / size;
    const double scaled = (latents[i] - s.shift) * s.scale;
    const double mean = s.mean.empty() ? 0 : s.mean[c], std = s.std.empty() ? 1 : s.std[c];
    const double divisor = eps == 0 ? std : std::sqrt(std * std + eps);
    latents[i] = static_cast<float>((scaled - mean) / divisor);
  }
}

// What the model's latents are, which those of a file become.
const LatentSpace& space_of(const KnownOptions::Source& source, const std::filesystem::path& path) {
  require<UsageError>(source.data.latents.has_value(), "sample",
                      "--keep {}: neither the checkpoint nor a data set says the scale of the "
                      "model's latents; --data names the set it was trained on",
                      path.string());
  return *source.data.latents;
}

double eps_of(const KnownOptions::Source& source) {
  return source.data.normalized ? source.trained.config().data.normalize_eps : 0;
}

// Means of 0 and deviations of 1 are none.
bool are_all(const std::vector<double>& values, double value) {
  return std::ranges::all_of(values, [value](double v) { return v == value; });
}

bool is_same_space(const LatentScaling& a, const LatentSpace& b) {
  const bool same_mean = a.mean == b.mean || (are_all(a.mean, 0) && are_all(b.mean, 0));
  const bool same_std = a.std == b.std || (are_all(a.std, 1) && are_all(b.std, 1));
  return a.scale == b.scale && a.shift == b.shift && same_mean && same_std;
}

void require_shape(std::string_view what, const LatentShape& actual, const LatentShape& expected) {
  const auto text = [](const LatentShape& shape) {
    return fmt::format("{} channels of {} x {}", shape.channels, shape.height, shape.width);
  };
  const bool fits = actual.channels == expected.channels && actual.height == expected.height &&
                    actual.width == expected.width;
  require<DataError>(fits, "sample", "--keep {}: latents of {}, the model's are {}", what,
                     text(actual), text(expected));
}

std::vector<float> of_data_set(const std::string& keep, const KnownOptions::Source& source) {
  std::uint64_t index = 0;
  require<UsageError>(reads_as(std::string_view(keep).substr(kSet.size()), index), "sample",
                      "--keep {}: a sample of the data set is set:NUMBER", keep);
  require<UsageError>(source.data.description.has_value(), "sample",
                      "--keep {}: {}: --data names it", keep, source.data.absence());
  const DataOptions& training = source.trained.config().data;
  const data::Dataset dataset(source.data.path, {.normalize = source.data.normalized,
                                                 .normalize_eps = training.normalize_eps});
  require<UsageError>(index < dataset.size(), "sample", "--keep {}: {} has samples 0 to {}", keep,
                      source.data.path.string(), dataset.size() - 1);
  const data::Description& found = dataset.description();
  const LatentShape& shape = source.trained.model_config().latents();
  require_shape(keep, {.channels = found.channels, .height = found.height, .width = found.width},
                shape);
  std::vector<float> latents(static_cast<std::size_t>(shape.elements()));
  data::ReadScratch scratch;
  const data::SampleRef ref{.index = index};
  dataset.read(std::span(&ref, 1), source.request.seed, scratch, latents);
  return latents;
}

std::vector<float> of_picture(const std::filesystem::path& path,
                              const KnownOptions::Source& source) {
  require<UsageError>(!source.vae.path.empty(), "sample",
                      "--keep {} is a picture: --vae names the autoencoder that makes latents of "
                      "it; latents (.h5, .safetensors) and set:NUMBER need none",
                      path.string());
  LatentSpace space = space_of(source, path);
  const LatentShape& shape = source.trained.model_config().latents();
  const Image image = read_picture("--keep", path, shape);
  VaeOptions vae = source.vae;
  vae.network.use = AutoencoderUse::kEncoding;
  const auto autoencoder = vae.load(source.backend);
  const AutoencoderInfo& info = autoencoder->info();
  require<UsageError>(info.has_encoder, "sample", "--keep {}: {} has no encoder", path.string(),
                      vae.path.string());
  require_same_encoder(info, space.autoencoder_checksum, source.trained.checkpoint().string());
  std::vector<float> latents = autoencoder->encode(std::span<const std::uint8_t>(image.pixels),
                                                   PictureSize{image.height, image.width});
  const PictureSize size = info.latent_size({image.height, image.width});
  require_shape(path.string(),
                {.channels = info.channels, .height = size.height, .width = size.width}, shape);
  latents.resize(static_cast<std::size_t>(shape.elements()));  // without the deviations
  if (info.preview) {  // whose latents are the model's as they are
    space.scale = 1;
    space.shift = 0;
  }
  to_model(latents, shape.channels, space, eps_of(source));
  return latents;
}

std::vector<float> of_latents(const std::filesystem::path& path,
                              const KnownOptions::Source& source) {
  LatentsInput input =
      named_by("--keep", path.string(), kReadOfKeep, [&] { return read_latents(path); });
  const LatentShape& shape = source.trained.model_config().latents();
  require_shape(
      path.string(),
      {.channels = input.channels, .height = input.size.height, .width = input.size.width}, shape);
  const auto pictures = static_cast<std::int64_t>(source.request.labels.size());
  require<DataError>(
      input.count == 1 || input.count == pictures, "sample",
      "--keep {}: {} latents, {} pictures are asked for: one, or as many, are needed",
      path.string(), input.count, pictures);
  if (!input.scaling) {
    log::warning("--keep {}: has no scale: its latents are taken as the model sees them",
                 path.string());
    return std::move(input.values);
  }
  const LatentSpace& space = space_of(source, path);
  const std::string &of_file = input.autoencoder_checksum, &of_model = space.autoencoder_checksum;
  require<DataError>(of_file.empty() || of_model.empty() || of_file == of_model, "sample",
                     "--keep {}: latents of an encoder with checksum {}, those of {} have {}",
                     path.string(), of_file, source.trained.checkpoint().string(), of_model);
  if (is_same_space(*input.scaling, space)) return std::move(input.values);
  const auto each = static_cast<std::size_t>(shape.elements());
  for (std::size_t at = 0; at < input.values.size(); at += each) {
    const auto one = std::span(input.values).subspan(at, each);
    to_autoencoder(one, shape.channels, *input.scaling);
    to_model(one, shape.channels, space, eps_of(source));
  }
  return std::move(input.values);
}

// In latents; UsageError where pixels are none.
std::int64_t in_latents(std::int64_t pixels, const LatentShape& latents, std::string_view option) {
  require<UsageError>(pixels % latents.factor == 0, "sample",
                      "{}: {} pixels are no multiple of {}, a latent's side", option, pixels,
                      latents.factor);
  return pixels / latents.factor;
}

}  // namespace

void KnownOptions::declare(OptionSet& options) {
  options.add("keep", &keep,
              "what is known of the pictures and stays: set:NUMBER of the data set, a file of "
              "latents (one for each picture, or one for all), or a picture, which --vae encodes");
  options.add("keep-box", &box,
              "left,top,width,height of what is kept, in pixels; of a sequence in frames: "
              "first,0,count,1");
  options.add("keep-mask", &mask, "a picture that is white where pictures are kept");
  options
      .add("resample", &resample,
           "times that each step is taken, going back in between, so that what is kept and the "
           "rest fit each other better (RePaint)")
      .range(1, 100);
  options.add("extend", &extend,
              "COLUMNSxROWS: larger pictures, of so many of the model's that overlap");
  options
      .add("extend-overlap", &overlap,
           "pixels, of sequences frames, that these share; 0: a quarter of a side")
      .range(0, 65536);
}

void KnownOptions::check(const OptionSet& set) const {
  const bool keeps = !keep.empty(), extends = !extend.empty();
  for (const char* option : {"keep-box", "keep-mask"}) {
    require<UsageError>(keeps || !set.given(option), "sample",
                        "--{} is given, and --keep, which says of what, is not", option);
  }
  require<UsageError>(!keeps || set.given("keep-box") != set.given("keep-mask"), "sample",
                      "--keep {}: one of --keep-box and --keep-mask says what of it is kept", keep);
  require<UsageError>(!(keeps && extends), "sample", "--keep {} and --extend {} are both given",
                      keep, extend);
  require<UsageError>(keeps || extends || !set.given("resample"), "sample",
                      "--resample is {}, and neither --keep nor --extend is given", resample);
  require<UsageError>(extends || !set.given("extend-overlap"), "sample",
                      "--extend-overlap is {}, and --extend is not given", overlap);
  if (!keeps) return;
  if (set.given("keep-mask")) require_there(mask, "--keep-mask", kPicturesAreRead);
  if (!is_of_set()) require_there(keep, "--keep", kReadOfKeep);
}

Extension KnownOptions::extension(const LatentShape& latents) const {
  Extension made;
  if (extend.empty()) return made;
  const std::size_t cross = extend.find('x');
  const bool reads = cross != extend.npos &&
                     reads_as(std::string_view(extend).substr(0, cross), made.columns) &&
                     reads_as(std::string_view(extend).substr(cross + 1), made.rows);
  require<UsageError>(reads, "sample", "--extend is '{}', COLUMNSxROWS is needed, as 4x1", extend);
  require<UsageError>(1 <= made.columns && made.columns <= Extension::kMost && 1 <= made.rows &&
                          made.rows <= Extension::kMost,
                      "sample", "--extend {}: 1 to {} columns and rows are possible", extend,
                      Extension::kMost);
  require<UsageError>(made.is_on(), "sample", "--extend {} is one window: the model's own picture",
                      extend);
  require<UsageError>(!latents.is_sequence() || made.rows == 1, "sample",
                      "--extend {}: sequences are one row high: COLUMNSx1", extend);
  const std::int64_t side =
      latents.is_sequence() ? latents.width : std::min(latents.height, latents.width);
  made.overlap = overlap > 0 ? in_latents(overlap, latents, "--extend-overlap")
                             : std::max<std::int64_t>(1, side / 4);
  require<UsageError>(made.overlap < side, "sample",
                      "--extend-overlap {}: {} to {} {} are possible, a window has {}", overlap,
                      latents.factor, (side - 1) * latents.factor,
                      latents.is_sequence() ? "frames" : "pixels", picture_text(latents));
  made.validate(latents);
  return made;
}

std::vector<std::uint8_t> KnownOptions::kept(const LatentShape& latents) const {
  if (keep.empty()) return {};
  std::vector<std::uint8_t> kept = mask.empty() ? boxed(latents) : masked(latents);
  const bool keeps_some = std::ranges::any_of(kept, [](std::uint8_t one) { return one != 0; });
  require<UsageError>(
      keeps_some, "sample", "{} {} keeps no whole {}", mask.empty() ? "--keep-box" : "--keep-mask",
      mask.empty() ? fmt::format("{}", fmt::join(box, ",")) : mask.string(),
      latents.is_sequence()
          ? "frame"
          : fmt::format("latent, of {} pixels", size_text(latents.factor, latents.factor)));
  return kept;
}

std::vector<std::uint8_t> KnownOptions::boxed(const LatentShape& latents) const {
  const std::int64_t width = latents.width * latents.factor,
                     height = latents.height * latents.factor;
  require<UsageError>(box.size() == 4, "sample",
                      "--keep-box has {} values, four are needed: left,top,width,height",
                      box.size());
  const auto fits = [&](std::size_t i, std::int64_t most) {
    return 0 <= box[i] && box[i] <= most && 0 <= box[i + 2] && box[i + 2] <= most - box[i];
  };
  require<UsageError>(fits(0, width) && fits(1, height), "sample",
                      "--keep-box {} is not within the model's {}, {}", fmt::join(box, ","),
                      latents.is_sequence() ? "sequences" : "pictures", picture_text(latents));
  std::array<std::int64_t, 4> at{};
  std::ranges::transform(box, at.begin(), [&](std::int64_t pixels) {
    return in_latents(pixels, latents, "--keep-box");
  });
  std::vector<std::uint8_t> kept(static_cast<std::size_t>(latents.height * latents.width), 0);
  for (std::int64_t y = at[1]; y < at[1] + at[3]; ++y) {
    for (std::int64_t x = at[0]; x < at[0] + at[2]; ++x) {
      kept[static_cast<std::size_t>(y * latents.width + x)] = 1;
    }
  }
  return kept;
}

// A latent is kept where all of its pixels are.
std::vector<std::uint8_t> KnownOptions::masked(const LatentShape& latents) const {
  const Image image = read_picture("--keep-mask", mask, latents);
  std::vector<std::uint8_t> kept(static_cast<std::size_t>(latents.height * latents.width), 1);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* const pixel = image.pixel(x, y);
      const bool is_white = pixel[0] >= 128 && pixel[1] >= 128 && pixel[2] >= 128;
      const std::int64_t at = y / latents.factor * latents.width + x / latents.factor;
      if (!is_white) kept[static_cast<std::size_t>(at)] = 0;
    }
  }
  return kept;
}

void KnownOptions::require_possible(const PictureRequest& request, const Process& process,
                                    std::string_view noise) const {
  require<UsageError>(extend.empty() || noise.empty(), "sample",
                      "--extend is {}, and {} gives the noise of one window", extend, noise);
  if (resample == 1) return;
  require<UsageError>(make_solver(process, request.solver)->forgets(), "sample",
                      "--resample is {}, and a step of dpm++ goes by the one before it: --sampler "
                      "names another",
                      resample);
  require<UsageError>(noise.empty(), "sample",
                      "--resample is {}, and {} gives the noise of steps that are taken once",
                      resample, noise);
  require<UsageError>(!request.cache.is_on(), "sample",
                      "--resample is {}, and --cache counts on steps that are taken once",
                      resample);
}

std::vector<std::filesystem::path> KnownOptions::inputs() const {
  return {is_of_set() ? std::filesystem::path() : std::filesystem::path(keep), mask};
}

std::size_t KnownOptions::encoder_bytes(const VaeOptions& vae, const LatentShape& latents) const {
  if (vae.path.empty() || !is_picture()) return 0;
  VaeOptions alone = vae;
  alone.network.use = AutoencoderUse::kEncoding;
  return dry_run_of_encoder([&](Backend& backend) { return alone.load(backend); },
                            {latents.height * latents.factor, latents.width * latents.factor})
      .bytes;
}

bool KnownOptions::is_of_set() const { return keep.starts_with(kSet); }

bool KnownOptions::is_picture() const {
  constexpr std::array kNames{".png", ".jpg", ".jpeg", ".webp"};
  return !is_of_set() && std::ranges::find(kNames, lower_case_extension(keep)) != kNames.end();
}

std::vector<float> KnownOptions::known(const Source& source) const {
  if (is_of_set()) return of_data_set(keep, source);
  return is_picture() ? of_picture(keep, source) : of_latents(keep, source);
}

void KnownOptions::add_facts(const LatentShape& latents, nlohmann::ordered_json& notes) const {
  if (!keep.empty()) {
    notes["keep"] = keep;
    if (mask.empty()) notes["keep_box"] = box;
    if (!mask.empty()) notes["keep_mask"] = mask.string();
  }
  if (!extend.empty()) {
    const Extension made = extension(latents);
    notes["extend"] = extend;
    notes["extend_overlap"] = made.overlap * latents.factor;
  }
  if (!keep.empty() || !extend.empty()) notes["resample"] = resample;
}

}  // namespace edt
