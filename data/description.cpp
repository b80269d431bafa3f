#include "data/description.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"
#include "core/storage/half.h"

namespace edt::data {

namespace {

constexpr int kLargestSide = 4096;
constexpr int kMostChannels = 1024;
constexpr int kMostClasses = 1 << 24;
constexpr std::uint64_t kLargestSample = 1 << 26;  // elements

void require_channels(std::span<const double> values, int channels, bool positive,
                      const std::string& label, const char* name) {
  if (values.empty()) return;
  require<DataError>(values.size() == static_cast<std::size_t>(channels), "shard",
                     "{}: {} has {} values, there are {} channels", label, name, values.size(),
                     channels);
  for (double value : values) {
    require<DataError>(std::isfinite(value) && (!positive || value > 0), "shard",
                       "{}: {} contains {}", label, name, value);
  }
}

int read_small(const h5::File& file, const char* name, int least, int most) {
  const std::int64_t value = file.read_int(name);
  require<DataError>(value >= least && value <= most, "shard", "{}{} is {}, expected {} to {}",
                     file.label(), name, value, least, most);
  return static_cast<int>(value);
}

std::vector<double> read_optional(const h5::File& file, const char* name) {
  return file.has_attribute(name) ? file.read_doubles(name) : std::vector<double>{};
}

std::vector<float> read_floats(const h5::File& file, const char* name, std::uint64_t expected) {
  const h5::DataSet set = file.dataset(name);
  require<DataError>(set.elements() == expected, "shard", "{}: {} elements, {} expected",
                     set.label(), set.elements(), expected);
  const auto values = set.read_all<float>(h5::Type::kFloat32);
  require<DataError>(all_finite(values), "shard", "{}: contains NaN or infinity", set.label());
  return values;
}

LinearDecoder read_decoder(const h5::File& file, int channels) {
  LinearDecoder decoder;
  if (!file.has("decoder")) return decoder;
  decoder.patch = read_small(file, "decoder_patch", 1, 64);
  const std::uint64_t values = static_cast<std::uint64_t>(decoder.patch) * decoder.patch * 3;
  decoder.matrix = read_floats(file, "decoder/matrix", values * channels);
  decoder.bias = read_floats(file, "decoder/bias", values);
  return decoder;
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

bool is_known(const std::string& attribute) {
  constexpr std::array<std::string_view, 23> kKnown{
      "format",        "format_version", "num_classes",          "image_size",    "scale",
      "shift",         "autoencoder",    "autoencoder_checksum", "channel_mean",  "channel_std",
      "class_names",   "source",         "provenance",           "complete",      "shard_index",
      "shard_count",   "first_sample",   "total_samples",        "decoder_patch", "checksum_block",
      "text_channels", "text_tokens",    "text_encoder"};
  return std::find(kKnown.begin(), kKnown.end(), attribute) != kKnown.end();
}

void read_array_shape(const h5::File& file, Description& d) {
  const bool latents = file.has("latents");
  d.moments = file.has("moments");
  require<DataError>(latents != d.moments, "shard", "{}: {}", file.label(),
                     latents ? "has both latents and moments" : "has neither latents nor moments");
  const h5::DataSet set = file.dataset(d.array_name());
  const h5::Shape& shape = set.shape();
  require<DataError>(shape.size() == 4, "shard", "{}: shape {}, expected [N, C, H, W]", set.label(),
                     h5::to_string(shape));
  const std::uint64_t factor = d.moments ? 2 : 1;
  require<DataError>(
      shape[1] >= factor && shape[1] % factor == 0 && shape[1] <= kMostChannels && shape[2] >= 1 &&
          shape[2] <= kLargestSide && shape[3] >= 1 && shape[3] <= kLargestSide,
      "shard", "{}: shape {} is not one of {}", set.label(), h5::to_string(shape), d.array_name());
  require<DataError>(set.type() == h5::Type::kFloat16 || set.type() == h5::Type::kFloat32, "shard",
                     "{}: element type {}, expected float16 or float32", set.label(),
                     set.type_name());
  d.type = set.type();
  d.channels = static_cast<int>(shape[1] / factor);
  d.height = static_cast<int>(shape[2]);
  d.width = static_cast<int>(shape[3]);
  d.flipped = file.has(d.flipped_name());
  d.arrays = read_sample_arrays(file, set);
}

}  // namespace

std::uint64_t Description::sample_bytes() const {
  std::uint64_t bytes = stored_bytes() * (flipped ? 2 : 1);
  for (const SampleArray& array : arrays) bytes += array.bytes() * (array.flipped ? 2 : 1);
  return bytes;
}

void validate(const Description& d, const std::string& label) {
  require<DataError>(d.channels >= 1 && d.height >= 1 && d.width >= 1, "shard",
                     "{}: latents of {} x {} x {}", label, d.channels, d.height, d.width);
  require<DataError>(d.channels <= kMostChannels && d.height <= kLargestSide &&
                         d.width <= kLargestSide && d.stored_elements() <= kLargestSample,
                     "shard", "{}: latents of {} x {} x {} are larger than supported", label,
                     d.channels, d.height, d.width);
  require<DataError>(d.classes >= 1 && d.classes <= kMostClasses, "shard", "{}: {} classes", label,
                     d.classes);
  require<DataError>(d.image_size >= 1, "shard", "{}: image size {}", label, d.image_size);
  require<DataError>(d.scale > 0 && std::isnormal(static_cast<float>(d.scale)), "shard",
                     "{}: scale {}, a positive number of single precision is needed", label,
                     d.scale);
  require<DataError>(std::isfinite(d.shift), "shard", "{}: shift {}", label, d.shift);
  require_channels(d.channel_mean, d.channels, false, label, "channel_mean");
  require_channels(d.channel_std, d.channels, true, label, "channel_std");
  require<DataError>(d.channel_mean.empty() == d.channel_std.empty(), "shard",
                     "{}: channel_mean and channel_std must be given together", label);
  require<DataError>(
      d.class_names.empty() || d.class_names.size() == static_cast<std::size_t>(d.classes), "shard",
      "{}: {} class names, {} classes", label, d.class_names.size(), d.classes);
  require<DataError>(d.arrays.size() <= kMostArrays, "shard",
                     "{}: {} arrays beside the latents, at most {} can be stored", label,
                     d.arrays.size(), kMostArrays);
  for (const SampleArray& array : d.arrays) validate(array, label);
}

namespace {

// One a line.
std::string text_of_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

}  // namespace

std::uint64_t longest_attribute(const Description& d) {
  std::size_t longest = std::max({text_of_names(d.class_names).size(), d.source.size(),
                                  d.provenance.size(), d.autoencoder.size()});
  for (const auto& [name, value] : d.others) {
    if (!value) continue;
    const auto bytes = [](const auto& values) { return values.size() * sizeof(values[0]); };
    longest = std::max(longest, std::visit(bytes, *value));
  }
  return longest;
}

void write_description(const Description& d, h5::File& file) {
  file.write_attribute("format", "edt-shard");
  file.write_attribute("format_version", kFormatVersion);
  file.write_attribute("num_classes", d.classes);
  file.write_attribute("image_size", d.image_size);
  file.write_attribute("scale", d.scale);
  if (d.shift != 0) file.write_attribute("shift", d.shift);
  if (!d.channel_mean.empty()) {
    file.write_attribute("channel_mean", d.channel_mean);
    file.write_attribute("channel_std", d.channel_std);
  }
  if (!d.source.empty()) file.write_attribute("source", d.source);
  if (!d.provenance.empty()) file.write_attribute("provenance", d.provenance);
  if (!d.autoencoder.empty()) file.write_attribute("autoencoder", d.autoencoder);
  if (!d.autoencoder_checksum.empty()) {
    file.write_attribute("autoencoder_checksum", d.autoencoder_checksum);
  }
  for (const auto& [name, value] : d.others) {
    if (value) file.write_value(name, *value);
  }
  write_text_description(d.text, file);
  if (!d.class_names.empty()) {
    file.write_attribute("class_names", text_of_names(d.class_names));
  }
  if (!d.decoder.present()) return;
  const std::uint64_t values = d.decoder.bias.size();
  file.write_attribute("decoder_patch", d.decoder.patch);
  file.create_dataset("decoder/matrix", h5::Type::kFloat32,
                      {values, static_cast<std::uint64_t>(d.channels)})
      .write(h5::Type::kFloat32, d.decoder.matrix.data());
  file.create_dataset("decoder/bias", h5::Type::kFloat32, {values})
      .write(h5::Type::kFloat32, d.decoder.bias.data());
}

std::vector<std::string> missing_attributes(const h5::File& file) {
  std::vector<std::string> missing;
  for (const char* name : {"format_version", "num_classes", "image_size", "scale"}) {
    if (!file.has_attribute(name)) missing.push_back(name);
  }
  return missing;
}

Description read_description(const h5::File& file) {
  const std::int64_t version = file.read_int("format_version");
  require<DataError>(version == kFormatVersion, "shard",
                     "{}: format version {}, this program reads {}", file.label(), version,
                     kFormatVersion);
  Description d;
  read_array_shape(file, d);
  d.classes = read_small(file, "num_classes", 1, kMostClasses);
  d.image_size = read_small(file, "image_size", 1, 1 << 20);
  d.scale = file.read_double("scale");
  if (file.has_attribute("shift")) d.shift = file.read_double("shift");
  d.channel_mean = read_optional(file, "channel_mean");
  d.channel_std = read_optional(file, "channel_std");
  for (const auto& [name, text] : {std::pair{"source", &d.source},
                                   {"provenance", &d.provenance},
                                   {"autoencoder", &d.autoencoder},
                                   {"autoencoder_checksum", &d.autoencoder_checksum}}) {
    if (file.has_attribute(name)) *text = file.read_string(name);
  }
  for (const std::string& name : file.attribute_names()) {
    if (!is_known(name)) d.others[name] = file.read_value(name);
  }
  if (file.has_attribute("class_names"))
    d.class_names = split_names(file.read_string("class_names"));
  d.decoder = read_decoder(file, d.channels);
  d.text = read_text_description(file);
  validate(d, file.label());
  return d;
}

void require_same(const Description& a, const std::string& file_a, const Description& b,
                  const std::string& file_b) {
  const auto check = [&](bool same, const char* what, const std::string& x, const std::string& y) {
    require<DataError>(same, "shard", "{}: {} {}, but {} has {}", file_b, what, y, file_a, x);
  };
  const auto shape = [](const Description& d) {
    return fmt::format("{} x {} x {}", d.channels, d.height, d.width);
  };
  check(a.moments == b.moments, "holds", a.array_name(), b.array_name());
  check(shape(a) == shape(b), "latents of", shape(a), shape(b));
  check(a.type == b.type, "element type", std::string(h5::name_of(a.type)),
        std::string(h5::name_of(b.type)));
  check(a.classes == b.classes, "class count", fmt::to_string(a.classes),
        fmt::to_string(b.classes));
  check(a.image_size == b.image_size, "image size", fmt::to_string(a.image_size),
        fmt::to_string(b.image_size));
  check(a.scale == b.scale, "scale", fmt::to_string(a.scale), fmt::to_string(b.scale));
  check(a.shift == b.shift, "shift", fmt::to_string(a.shift), fmt::to_string(b.shift));
  check(a.flipped == b.flipped, "flipped copies:", a.flipped ? "yes" : "no",
        b.flipped ? "yes" : "no");
  check(a.arrays == b.arrays, "arrays beside the latents:", text_of(a.arrays), text_of(b.arrays));
  require_same(a.text, file_a, b.text, file_b);
  check(a.channel_mean == b.channel_mean && a.channel_std == b.channel_std, "channel statistics",
        "others", "of its own");
  check(a.decoder == b.decoder, "decoder", "another", "of its own");
  const auto or_none = [](const std::string& id) { return id.empty() ? "none" : id; };
  check(a.autoencoder_checksum == b.autoencoder_checksum, "autoencoder",
        or_none(a.autoencoder_checksum), or_none(b.autoencoder_checksum));
  check(a.provenance == b.provenance, "provenance", or_none(a.provenance), or_none(b.provenance));
}

}  // namespace edt::data
