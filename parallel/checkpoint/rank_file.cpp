#include "parallel/checkpoint/rank_file.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/half.h"
#include "core/storage/input_file.h"

namespace edt {
namespace {

template <class T>
constexpr h5::Type h5_type() {
  if constexpr (std::is_same_v<T, float>) return h5::Type::kFloat32;
  if constexpr (std::is_same_v<T, double>) return h5::Type::kFloat64;
  if constexpr (std::is_same_v<T, std::int32_t>) return h5::Type::kInt32;
  return h5::Type::kInt64;
}

ExtraArray::Values values_of_type(std::string_view type) {
  if (type == "float32") return std::vector<float>();
  if (type == "float64") return std::vector<double>();
  if (type == "int32") return std::vector<std::int32_t>();
  return std::vector<std::int64_t>();
}

StoredExtra write_extra(h5::File& file, const ExtraArray& extra) {
  return std::visit(
      [&]<class T>(const std::vector<T>& values) {
        auto set =
            file.create_dataset(extra_dataset_name(extra.name), h5_type<T>(), {values.size()});
        set.write(h5_type<T>(), values.data());
        return StoredExtra{extra.name, std::string(h5::name_of(h5_type<T>())),
                           static_cast<std::int64_t>(values.size()),
                           checksum_of(std::span<const T>(values))};
      },
      extra.values);
}

// Opens a data set that must be one-dimensional with `elements` values of `type`.
h5::DataSet open_set(const h5::File& file, const std::string& name, h5::Type type,
                     std::int64_t elements) {
  h5::DataSet set = file.dataset(name);
  require<CheckpointError>(
      set.type() == type && set.shape() == h5::Shape{static_cast<std::uint64_t>(elements)},
      "checkpoint", "{}: {} values of shape {}, the manifest says {} values of shape [{}]",
      set.label(), h5::name_of(set.type()), h5::to_string(set.shape()), h5::name_of(type),
      elements);
  return set;
}

void require_checksum(const std::string& label, std::uint64_t found, std::uint64_t expected) {
  require<CheckpointError>(found == expected, "checkpoint",
                           "{}: checksum is {}, the manifest says {}", label, checksum_text(found),
                           checksum_text(expected));
}

void read_half(const h5::DataSet& set, std::vector<float>& values) {
  std::vector<half_bits> bits(values.size());
  set.read(h5::Type::kFloat16, bits.data());
  half_to_float(bits, values);
}

// Rounds `values` to what is written.
void write_half(h5::DataSet& set, std::vector<float>& values) {
  std::vector<half_bits> bits(values.size());
  float_to_half(values, bits);
  require<CheckpointError>(half_to_float(bits, values), "checkpoint",
                           "{}: a value is beyond float16, whose largest is 65504", set.label());
  set.write(h5::Type::kFloat16, bits.data());
}

void read_checked(const h5::File& file, const Manifest& manifest, std::size_t array,
                  const StoredFragment& fragment, std::vector<float>& values) {
  const bool half = manifest.is_half(array);
  const auto set =
      open_set(file, dataset_name(manifest, array, fragment),
               half ? h5::Type::kFloat16 : h5::Type::kFloat32, fragment.region.elements());
  values.resize(static_cast<std::size_t>(fragment.region.elements()));
  half ? read_half(set, values) : set.read(h5::Type::kFloat32, values.data());
  require_checksum(set.label(), checksum_of(std::span<const float>(values)),
                   fragment.checksums[array]);
}

ExtraArray read_extra_checked(const h5::File& file, const StoredExtra& extra) {
  ExtraArray array{extra.name, values_of_type(extra.type)};
  std::visit(
      [&]<class T>(std::vector<T>& values) {
        const auto set =
            open_set(file, extra_dataset_name(extra.name), h5_type<T>(), extra.elements);
        values.resize(static_cast<std::size_t>(extra.elements));
        set.read(h5_type<T>(), values.data());
        require_checksum(set.label(), checksum_of(std::span<const T>(values)), extra.checksum);
      },
      array.values);
  return array;
}

}  // namespace

std::string rank_file_name(int rank) { return fmt::format("rank-{:04}.h5", rank); }

void write_rank_file(const std::filesystem::path& path, Manifest& manifest,
                     std::span<const std::int64_t> offsets,
                     std::span<const std::span<const float>> arrays,
                     std::span<const ExtraArray> extras) {
  h5::File file = h5::File::create(path);
  std::vector<float> rounded;
  for (std::size_t a = 0; a < arrays.size(); ++a) {
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      StoredFragment& fragment = manifest.fragments[i];
      const auto count = static_cast<std::size_t>(fragment.region.elements());
      const auto values = arrays[a].subspan(static_cast<std::size_t>(offsets[i]), count);
      const std::string name = dataset_name(manifest, a, fragment);
      if (manifest.is_half(a)) {
        auto set = file.create_dataset(name, h5::Type::kFloat16, {count});
        rounded.assign(values.begin(), values.end());
        write_half(set, rounded);
        fragment.checksums[a] = checksum_of(std::span<const float>(rounded));
      } else {
        auto set = file.create_dataset(name, h5::Type::kFloat32, {count});
        set.write(h5::Type::kFloat32, values.data());
        fragment.checksums[a] = checksum_of(values);
      }
    }
  }
  for (const ExtraArray& extra : extras) manifest.extras.push_back(write_extra(file, extra));
  file.close();
  sync_file(path);
}

void verify_rank_file(const std::filesystem::path& path, const Manifest& manifest,
                      std::size_t file_index) {
  const h5::File file = h5::File::open(path);
  std::vector<float> values;
  for (const StoredFragment& fragment : manifest.fragments) {
    if (fragment.file != file_index) continue;
    for (std::size_t a = 0; a < manifest.arrays.size(); ++a) {
      read_checked(file, manifest, a, fragment, values);
    }
  }
  if (file_index != 0) return;
  for (const StoredExtra& extra : manifest.extras) read_extra_checked(file, extra);
}

FragmentReader::FragmentReader(std::filesystem::path directory, const Manifest& manifest)
    : directory_(std::move(directory)), manifest_(manifest) {}

const h5::File& FragmentReader::file(std::size_t index) {
  const auto found = files_.find(index);
  if (found != files_.end()) return found->second;
  return files_.emplace(index, h5::File::open(directory_ / manifest_.files[index].name))
      .first->second;
}

void FragmentReader::read(std::size_t array, const StoredFragment& fragment,
                          std::vector<float>& values) {
  read_checked(file(fragment.file), manifest_, array, fragment, values);
}

ExtraArray FragmentReader::read(const StoredExtra& extra) {
  return read_extra_checked(file(0), extra);
}

StoredFile fingerprint(const std::filesystem::path& path) {
  const InputFile file(path);
  StreamingChecksum sum;
  std::vector<std::byte> buffer(std::size_t{4} << 20);
  for (std::uint64_t offset = 0; offset < file.size(); offset += buffer.size()) {
    const auto count = std::min<std::uint64_t>(buffer.size(), file.size() - offset);
    const auto part = std::span(buffer).first(count);
    file.read(offset, part);
    sum.add(part);
  }
  return {path.filename().string(), file.size(), sum.value()};
}

}  // namespace edt
