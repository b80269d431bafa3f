#include <algorithm>
#include <bit>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/convert.h"
#include "core/storage/file_kind.h"
#include "core/storage/safetensors.h"

namespace edt {

namespace {

using nlohmann::json;

constexpr std::uint64_t kPrefix = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the limit of the reference implementation

SafetensorsType parse_type(const json& value, const std::string& label) {
  const std::string name = value.is_string() ? value.get<std::string>() : "?";
  for (int i = 0; i <= static_cast<int>(SafetensorsType::kF8E5M2); ++i) {
    const auto type = static_cast<SafetensorsType>(i);
    if (name == name_of(type)) return type;
  }
  fail<DataError>("safetensors", "{}: type '{}' is not known", label, name);
}

std::vector<std::uint64_t> parse_integers(const json& value, const std::string& label,
                                          std::string_view what) {
  bool valid = value.is_array();
  std::vector<std::uint64_t> integers;
  for (const json& item : value) {
    valid = valid && item.is_number_unsigned();
    if (valid) integers.push_back(item.get<std::uint64_t>());
  }
  require<DataError>(valid, "safetensors", "{}: {} is not a list of natural numbers", label, what);
  return integers;
}

// Bytes of the shape, at most `limit`.
std::uint64_t shape_bytes(const SafetensorsEntry& entry, std::uint64_t limit,
                          const std::string& label) {
  if (std::find(entry.shape.begin(), entry.shape.end(), 0u) != entry.shape.end()) return 0;
  std::uint64_t product = size_of(entry.type);
  for (std::uint64_t n : entry.shape) {
    require<DataError>(product <= limit / n, "safetensors",
                       "{}: its shape needs more than the {} bytes of the file", label, limit);
    product *= n;
  }
  return product;
}

SafetensorsEntry parse_entry(const std::string& name, const json& value, std::uint64_t data_begin,
                             std::uint64_t data_bytes, const std::string& label) {
  require<DataError>(value.is_object() && value.contains("dtype") && value.contains("shape") &&
                         value.contains("data_offsets"),
                     "safetensors", "{}: dtype, shape or data_offsets is missing", label);
  SafetensorsEntry entry{.name = name, .type = parse_type(value["dtype"], label)};
  entry.shape = parse_integers(value["shape"], label, "shape");
  const auto offsets = parse_integers(value["data_offsets"], label, "data_offsets");
  require<DataError>(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data_bytes,
                     "safetensors", "{}: data_offsets {} lie outside the {} bytes of data", label,
                     dump_json(value["data_offsets"]), data_bytes);
  entry.offset = data_begin + offsets[0];
  entry.bytes = offsets[1] - offsets[0];
  const std::uint64_t needed = shape_bytes(entry, data_bytes, label);
  require<DataError>(needed == entry.bytes, "safetensors",
                     "{}: its shape needs {} bytes, data_offsets give {}", label, needed,
                     entry.bytes);
  return entry;
}

// Tensors fill the data without holes or overlaps, as the format demands.
void require_tiling(const std::vector<SafetensorsEntry>& entries, std::uint64_t begin,
                    std::uint64_t end, const std::string& path) {
  std::uint64_t position = begin;
  for (const SafetensorsEntry& entry : entries) {
    require<DataError>(
        entry.offset == position, "safetensors",
        "{}: tensor '{}' begins at byte {} of the data, the one before it ends at {}", path,
        entry.name, entry.offset - begin, position - begin);
    position += entry.bytes;
  }
  require<DataError>(position == end, "safetensors", "{}: tensors end at byte {}, the file at {}",
                     path, position, end);
}

// Of a file that is something else that is said, and not what its first bytes would mean.
void refuse_other_kinds(const std::filesystem::path& path) {
  const FileKind kind = kind_of_file(path);
  if (kind == FileKind::kSafetensors || kind == FileKind::kUnknown) return;
  fail<DataError>("safetensors", "{}: is {}, safetensors are read{}", path.string(),
                  described(kind), way_to_safetensors(kind, path));
}

json parse_header(const InputFile& file, std::uint64_t& header_bytes) {
  refuse_other_kinds(file.path());
  const std::string path = file.path().string();
  require<DataError>(file.size() >= kPrefix, "safetensors", "{}: {} bytes are no safetensors file",
                     path, file.size());
  file.read(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  require<DataError>(header_bytes <= std::min(kLongestHeader, file.size() - kPrefix), "safetensors",
                     "{}: the header claims {} bytes, the file has {}", path, header_bytes,
                     file.size());
  std::string text(header_bytes, '\0');
  file.read(kPrefix, std::as_writable_bytes(std::span(text)));
  require<DataError>(text.starts_with('{'), "safetensors", "{}: the header is not a JSON object",
                     path);
  json header = parse_json(text, path);
  return header;
}

[[noreturn]] void refuse_type(const SafetensorsReader& reader, const SafetensorsEntry& entry,
                              std::string_view wanted) {
  fail<DataError>("safetensors", "{}: tensor '{}' has type {}, {} is needed",
                  reader.path().string(), entry.name, name_of(entry.type), wanted);
}

}  // namespace

std::string_view name_of(SafetensorsType type) {
  constexpr std::string_view kNames[] = {"F16", "BF16", "F32", "F64",     "I32",
                                         "I64", "BOOL", "I8",  "U8",      "I16",
                                         "U16", "U32",  "U64", "F8_E4M3", "F8_E5M2"};
  return kNames[static_cast<int>(type)];
}

std::size_t size_of(SafetensorsType type) {
  constexpr std::size_t kSizes[] = {2, 2, 4, 8, 4, 8, 1, 1, 1, 2, 2, 4, 8, 1, 1};
  return kSizes[static_cast<int>(type)];
}

bool is_floating(SafetensorsType type) {
  return type <= SafetensorsType::kF64 || type >= SafetensorsType::kF8E4M3;
}

SafetensorsReader::SafetensorsReader(const std::filesystem::path& path) : file_(path) {
  std::uint64_t header_bytes = 0;
  const json header = parse_header(file_, header_bytes);
  const std::uint64_t begin = kPrefix + header_bytes;
  for (const auto& [name, value] : header.items()) {
    const std::string label = fmt::format("{}: tensor '{}'", path.string(), name);
    if (name != "__metadata__") {
      entries_.push_back(parse_entry(name, value, begin, file_.size() - begin, label));
      continue;
    }
    require<DataError>(value.is_object(), "safetensors", "{}: __metadata__ is not an object",
                       path.string());
    for (const auto& [key, text] : value.items()) {
      require<DataError>(text.is_string(), "safetensors", "{}: metadata '{}' is not a string",
                         path.string(), key);
      metadata_[key] = text.get<std::string>();
    }
  }
  std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  require_tiling(entries_, begin, file_.size(), path.string());
}

const SafetensorsEntry* SafetensorsReader::find(std::string_view name) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(),
                   [&](const SafetensorsEntry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

const SafetensorsEntry& SafetensorsReader::entry(std::string_view name) const {
  const SafetensorsEntry* found = find(name);
  if (found != nullptr) return *found;
  constexpr std::size_t kMost = 10;
  std::string names;
  for (std::size_t i = 0; i < std::min(entries_.size(), kMost); ++i) {
    names += (i == 0 ? "" : ", ") + entries_[i].name;
  }
  fail<DataError>("safetensors", "{}: there is no tensor '{}'; there are: {}{}", path().string(),
                  name, entries_.empty() ? "none" : names, entries_.size() > kMost ? ", ..." : "");
}

std::vector<std::byte> SafetensorsReader::read_raw(const SafetensorsEntry& entry,
                                                   std::uint64_t first, std::uint64_t count) const {
  require<DataError>(first <= entry.elements() && count <= entry.elements() - first, "safetensors",
                     "{}: tensor '{}': elements {} to {} asked for, it has {}", path().string(),
                     entry.name, first, first + count, entry.elements());
  std::vector<std::byte> raw(count * size_of(entry.type));
  file_.read(entry.offset + first * size_of(entry.type), raw);
  return raw;
}

template <class Out>
void SafetensorsReader::read_as(const SafetensorsEntry& entry, std::uint64_t first,
                                std::span<Out> out) const {
  const std::vector<std::byte> raw = read_raw(entry, first, out.size());
  switch (entry.type) {
    case SafetensorsType::kF16:
      return convert_halves(raw, out);
    case SafetensorsType::kBF16:
      return convert_elements<bfloat16>(raw, out);
    case SafetensorsType::kF32:
      return convert_elements<float>(raw, out);
    case SafetensorsType::kF64:
      return convert_elements<double>(raw, out);
    case SafetensorsType::kI8:
      return convert_elements<std::int8_t>(raw, out);
    case SafetensorsType::kBool:
    case SafetensorsType::kU8:
      return convert_elements<std::uint8_t>(raw, out);
    case SafetensorsType::kI16:
      return convert_elements<std::int16_t>(raw, out);
    case SafetensorsType::kU16:
      return convert_elements<std::uint16_t>(raw, out);
    case SafetensorsType::kI32:
      return convert_elements<std::int32_t>(raw, out);
    case SafetensorsType::kU32:
      return convert_elements<std::uint32_t>(raw, out);
    case SafetensorsType::kI64:
      return convert_elements<std::int64_t>(raw, out);
    case SafetensorsType::kU64:
      return convert_elements<std::uint64_t>(raw, out);
    case SafetensorsType::kF8E4M3:
    case SafetensorsType::kF8E5M2:
      refuse_type(*this, entry, "floating point of 16 bits or more");
  }
}

void SafetensorsReader::read(const SafetensorsEntry& entry, std::uint64_t first,
                             std::span<float> out) const {
  if (!is_floating(entry.type)) refuse_type(*this, entry, "floating point");
  read_as(entry, first, out);
}

void SafetensorsReader::read(const SafetensorsEntry& entry, std::uint64_t first,
                             std::span<double> out) const {
  read_as(entry, first, out);
}

void SafetensorsReader::read(const SafetensorsEntry& entry, std::uint64_t first,
                             std::span<std::int32_t> out) const {
  if (is_floating(entry.type)) refuse_type(*this, entry, "an integer type");
  std::vector<double> values(out.size());
  read_as(entry, first, std::span(values));
  for (std::size_t i = 0; i < out.size(); ++i) {
    require<DataError>(values[i] >= std::numeric_limits<std::int32_t>::min() &&
                           values[i] <= std::numeric_limits<std::int32_t>::max(),
                       "safetensors", "{}: tensor '{}': value {} does not fit into 32 bits",
                       path().string(), entry.name, values[i]);
    out[i] = static_cast<std::int32_t>(values[i]);
  }
}

}  // namespace edt
