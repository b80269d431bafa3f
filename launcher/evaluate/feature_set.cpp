#include "launcher/evaluate/feature_set.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/file_kind.h"
#include "core/storage/hdf5.h"
#include "core/storage/npy.h"
#include "core/storage/partial_file.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormat = "edt features 1", kLatentFormat = "edt latent features 1";

// A member of an .npz: `axes` of one length, of `width` where that is known.
std::vector<double> read_array(const ZipReader& npz, const std::string& member, std::size_t axes,
                               std::uint64_t width = 0) {
  NpyReader reader(npz.open(member));
  const NpyHeader& header = reader.header();
  const bool any_width = width == 0;
  if (any_width && !header.shape.empty()) width = header.shape[0];
  const std::vector<std::uint64_t> shape(axes, width);
  require<DataError>(width > 0 && header.shape == shape && header.is_floating(), "evaluate",
                     "{} is {} [{}], expected floating-point numbers [{}]", reader.label(),
                     name_of(header.type), fmt::join(header.shape, ", "),
                     any_width ? "features" : fmt::to_string(fmt::join(shape, ", ")));
  std::vector<double> values(header.rows() * header.row_elements());
  reader.read(std::span(values));
  return values;
}

template <class T>
void require_finite(std::span<const T> values, const std::string& label) {
  const bool finite = std::ranges::all_of(values, [](T value) { return std::isfinite(value); });
  require<DataError>(finite, "evaluate", "{}: contains NaN or infinity", label);
}

// Of a matrix that is none, evaluators take what they look at: a distance all the same.
void require_covariance(std::span<const double> values, std::size_t width,
                        const std::string& label) {
  constexpr double kRounding = 1e-4;  // float32, of the variances in a row and a column
  require_finite(values, label);
  const auto at = [&](std::size_t i, std::size_t j) { return values[i * width + j]; };
  for (std::size_t i = 0; i < width; ++i) {
    require<DataError>(at(i, i) >= 0, "evaluate", "{}: is no covariance: variance {} is {}", label,
                       i, at(i, i));
    for (std::size_t j = 0; j < i; ++j) {
      const double most = std::sqrt(at(i, i) * at(j, j));
      require<DataError>(std::abs(at(i, j) - at(j, i)) <= kRounding * most, "evaluate",
                         "{}: is no covariance: [{}, {}] is {}, [{}, {}] is {}", label, i, j,
                         at(i, j), j, i, at(j, i));
    }
  }
}

FeatureStatistics read_statistics(const ZipReader& npz, const std::string& source,
                                  const std::string& mean, const std::string& covariance) {
  FeatureStatistics read{.count = 0, .mean = read_array(npz, mean, 1), .covariance = {}};
  read.covariance = read_array(npz, covariance, 2, read.mean.size());
  require_finite(std::span<const double>(read.mean), source + ":" + mean);
  require_covariance(read.covariance, read.mean.size(), source + ":" + covariance);
  return read;
}

FeatureSet read_npz(const fs::path& file) {
  const ZipReader archive(file);
  FeatureSet set{.source = file.string(), .has_pictures = archive.has("arr_0")};
  set.pooled = read_statistics(archive, set.source, "mu", "sigma");
  if (archive.has("mu_s") && archive.has("sigma_s")) {
    set.spatial = read_statistics(archive, set.source, "mu_s", "sigma_s");
  }
  return set;
}

void write_statistics(h5::File& file, const std::string& name, const FeatureStatistics& set) {
  const auto width = static_cast<std::uint64_t>(set.width());
  file.create_dataset(name + "_mean", h5::Type::kFloat64, {width})
      .write(h5::Type::kFloat64, set.mean.data());
  file.create_dataset(name + "_covariance", h5::Type::kFloat64, {width, width})
      .write(h5::Type::kFloat64, set.covariance.data());
}

std::vector<double> read_values(const h5::File& file, const std::string& name,
                                const h5::Shape& shape) {
  const h5::DataSet values = file.dataset(name);
  require<DataError>(values.shape() == shape, "evaluate", "{} is {}, expected {}", values.label(),
                     h5::to_string(values.shape()), h5::to_string(shape));
  return values.read_all<double>(h5::Type::kFloat64);
}

FeatureStatistics read_statistics(const h5::File& file, const std::string& name,
                                  std::uint64_t width) {
  const std::string label = file.path().string() + ":" + name;
  FeatureStatistics read{.count = file.read_int("pictures"),
                         .mean = read_values(file, name + "_mean", {width}),
                         .covariance = read_values(file, name + "_covariance", {width, width})};
  require<DataError>(read.count >= 2, "evaluate", "{}: statistics of {} pictures", label,
                     read.count);
  require_finite(std::span<const double>(read.mean), label + "_mean");
  require_covariance(read.covariance, width, label + "_covariance");
  return read;
}

std::uint64_t network_of(const h5::File& file) {
  const std::string text = file.read_string("inception_checksum");
  try {
    return parse_checksum(text);
  } catch (const DataError&) {
    fail<DataError>("evaluate", "{}: inception_checksum is '{}', must be 16 hexadecimal digits",
                    file.path().string(), text);
  }
}

InceptionResize resize_named(const h5::File& file) {
  const std::string name = file.read_string("resize");
  for (const auto& [known, resize] : inception_resizes()) {
    if (name == known) return resize;
  }
  fail<DataError>("evaluate", "{}: resize is '{}', known are adm, pytorch-fid and clean",
                  file.path().string(), name);
}

std::vector<float> read_features(const h5::File& file, std::int64_t width) {
  const h5::DataSet features = file.dataset("features");
  require<DataError>(
      features.shape().size() == 2 && features.shape()[1] == static_cast<std::uint64_t>(width),
      "evaluate", "{} is {}, expected [pictures, {}]", features.label(),
      h5::to_string(features.shape()), width);
  std::vector<float> values = features.read_all<float>(h5::Type::kFloat32);
  require_finite(std::span<const float>(values), features.label());
  return values;
}

FeatureSet read_latent_set(const h5::File& file) {
  const std::string name = file.path().string();
  FeatureSet set{.source = name};
  set.latents = LatentFeatures{.channels = file.read_int("channels"),
                               .height = file.read_int("height"),
                               .width = file.read_int("width"),
                               .square = file.read_int("square"),
                               .space = LatentSpace::of_text(file.read_string("latents"), name)};
  const LatentFeatures& of = *set.latents;
  require<DataError>(of.channels > 0 && of.height > 0 && of.width > 0 && of.square > 0, "evaluate",
                     "{}: {} channels of {} x {} latents in squares of {}: each is 1 or more", name,
                     of.channels, of.height, of.width, of.square);
  const std::int64_t width = of.count();
  require<DataError>(width > 0 && width <= LatentFeatures::kMost, "evaluate",
                     "{}: {} features of a latent, 1 to {} are expected", name, width,
                     LatentFeatures::kMost);
  set.pooled = read_statistics(file, "pooled", static_cast<std::uint64_t>(width));
  set.features = read_features(file, width);
  return set;
}

FeatureSet read_hdf5(const fs::path& path) {
  const h5::File file = h5::File::open(path);
  const std::string format = file.has_attribute("format") ? file.read_string("format") : "none";
  if (format == kLatentFormat) return read_latent_set(file);
  require<DataError>(format == kFormat, "evaluate",
                     "{}: the format is '{}', not '{}': edt evaluate reference writes such files",
                     path.string(), format, kFormat);
  FeatureSet set{.source = path.string()};
  set.network = network_of(file);
  set.resize = resize_named(file);
  set.pooled = read_statistics(file, "pooled", InceptionFeatures::kPooled);
  set.spatial = read_statistics(file, "spatial", InceptionFeatures::kSpatial);
  set.features = read_features(file, InceptionFeatures::kPooled);
  return set;
}

// Of `more`, the rows that are among the first `most` of all.
void keep_first(const Features& more, std::int64_t most, std::vector<float>& kept) {
  const auto full = static_cast<std::size_t>(most * more.width);
  const std::size_t room = full - std::min(full, kept.size());
  const auto taken = more.values.first(std::min(room, more.values.size()));
  kept.insert(kept.end(), taken.begin(), taken.end());
}

void write_inception(h5::File& file, const FeatureSet& set) {
  file.write_attribute("inception_checksum", checksum_text(*set.network));
  file.write_attribute("resize", name_of(*set.resize));
  write_statistics(file, "spatial", *set.spatial);
}

void write_latents(h5::File& file, const LatentFeatures& latents) {
  file.write_attribute("channels", latents.channels);
  file.write_attribute("height", latents.height);
  file.write_attribute("width", latents.width);
  file.write_attribute("square", latents.square);
  file.write_attribute("latents", latents.space.to_text());
}

}  // namespace

LatentCollector::LatentCollector(LatentFeatures latents, std::int64_t kept)
    : latents_(std::move(latents)), kept_(kept), moments_(latents_.count()) {}

void LatentCollector::add(const Features& more) {
  keep_first(more, kept_, features_);
  moments_.add(more);
}

FeatureSet LatentCollector::finish(std::string source) {
  return {.source = std::move(source),
          .network = {},
          .resize = {},
          .latents = latents_,
          .pooled = moments_.statistics(),
          .spatial = {},
          .features = std::move(features_)};
}

FeatureCollector::FeatureCollector(std::int64_t kept)
    : kept_(kept), pooled_(InceptionFeatures::kPooled), spatial_(InceptionFeatures::kSpatial) {}

void FeatureCollector::add(const InceptionFeatures& more) {
  keep_first({more.pooled, InceptionFeatures::kPooled}, kept_, features_);
  logits_.insert(logits_.end(), more.logits.begin(), more.logits.end());
  pooled_.add({more.pooled, InceptionFeatures::kPooled});
  spatial_.add({more.spatial, InceptionFeatures::kSpatial});
}

FeatureSet FeatureCollector::finish(std::string source, std::uint64_t network,
                                    InceptionResize resize) {
  return {.source = std::move(source),
          .network = network,
          .resize = resize,
          .latents = {},
          .pooled = pooled_.statistics(),
          .spatial = spatial_.statistics(),
          .features = std::move(features_)};
}

void write_feature_set(const FeatureSet& set, const fs::path& path) {
  PartialFile partial(path);
  {
    h5::File file = h5::File::create(partial.partial());
    file.write_attribute("format", set.latents ? kLatentFormat : kFormat);
    file.write_attribute("source", set.source);
    file.write_attribute("pictures", set.pooled.count);
    set.latents ? write_latents(file, *set.latents) : write_inception(file, set);
    write_statistics(file, "pooled", set.pooled);
    const h5::Shape shape{static_cast<std::uint64_t>(set.kept().count()),
                          static_cast<std::uint64_t>(set.pooled.width())};
    file.create_dataset("features", h5::Type::kFloat32, shape)
        .write(h5::Type::kFloat32, set.features.data());
    file.close();
  }
  partial.commit();
}

bool is_feature_set(const fs::path& file) {
  std::error_code code;
  if (!fs::is_regular_file(file, code)) return false;
  if (kind_of_file(file) == FileKind::kHdf5) return true;
  return lower_case_extension(file) == ".npz" && ZipReader(file).has("mu");
}

FeatureSet read_feature_set(const fs::path& file) {
  return lower_case_extension(file) == ".npz" ? read_npz(file) : read_hdf5(file);
}

}  // namespace edt
