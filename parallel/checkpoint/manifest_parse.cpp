// Nothing in a manifest is believed before it is checked.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/checksum.h"
#include "parallel/checkpoint/manifest.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMostElements = std::int64_t{1} << 48;

// Typed access to a JSON value whose place is named in messages: "manifest.json: pieces[3].begin".
class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail<CheckpointError>("checkpoint", "{}: {}", where_,
                          fmt::format(format, std::forward<Args>(args)...));
  }
  bool has(const char* key) const { return json_.is_object() && json_.contains(key); }
  Reader at(const char* key) const {
    if (!has(key)) refuse("\"{}\" is missing", key);
    return {json_.at(key), fmt::format("{}: {}", where_, key)};
  }
  std::vector<Reader> list() const {
    if (!json_.is_array()) refuse("is {}, must be a list", json_.type_name());
    std::vector<Reader> readers;
    for (const Json& item : json_) {
      readers.push_back({item, fmt::format("{}[{}]", where_, readers.size())});
    }
    return readers;
  }
  std::string text() const {
    if (!json_.is_string()) refuse("is {}, must be a string", json_.type_name());
    return json_.get<std::string>();
  }
  std::int64_t integer(std::int64_t lowest, std::int64_t highest) const {
    const bool is_small =
        json_.is_number_integer() &&
        (!json_.is_number_unsigned() ||
         json_.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
    if (!is_small) refuse("is {}, must be an integer", dump_json(json_));
    const auto value = json_.get<std::int64_t>();
    if (value < lowest || value > highest) refuse("is {}, must be {}..{}", value, lowest, highest);
    return value;
  }
  double number() const {
    if (!json_.is_number()) refuse("is {}, must be a number", dump_json(json_));
    return json_.get<double>();
  }
  std::size_t index(std::size_t size) const {
    if (size == 0) refuse("refers to an empty list");
    return static_cast<std::size_t>(integer(0, static_cast<std::int64_t>(size) - 1));
  }
  std::uint64_t unsigned_integer() const {
    if (!json_.is_number_unsigned()) refuse("is {}, must not be negative", dump_json(json_));
    return json_.get<std::uint64_t>();
  }
  std::uint64_t checksum_value() const {
    try {
      return parse_checksum(text());
    } catch (const DataError& error) {
      refuse("{}", error.what());
    }
  }
  Shape shape(std::int64_t lowest) const {
    const std::vector<Reader> dims = list();
    if (dims.size() > Shape::kMaxRank) refuse("has {} dimensions", dims.size());
    Shape shape;
    std::int64_t elements = 1;
    for (const Reader& dim : dims) {
      shape.append(dim.integer(lowest, kMostElements / std::max<std::int64_t>(elements, 1)));
      elements *= std::max<std::int64_t>(shape[-1], 1);
    }
    return shape;
  }
  const Json& json() const { return json_; }

 private:
  const Json& json_;
  std::string where_;
};

// A name that is safe as a file name and as an HDF5 path component.
std::string plain_name(const Reader& reader) {
  const std::string name = reader.text();
  const bool plain = !name.empty() && name.size() < 200 && name.front() != '.' &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return std::isalnum(c) || c == '.' || c == '_' || c == '-';
                     });
  if (!plain) reader.refuse("\"{}\" is not a plain name", name);
  return name;
}

template <class T>
void require_unique(const std::vector<T>& items, const Reader& reader) {
  std::set<std::string> seen;
  for (const T& item : items) {
    const std::string* name = nullptr;
    if constexpr (std::is_same_v<T, std::string>) {
      name = &item;
    } else {
      name = &item.name;
    }
    if (!seen.insert(*name).second) reader.refuse("\"{}\" appears twice", *name);
  }
}

CheckpointInfo read_info(const Reader& root) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  CheckpointInfo info;
  info.step = root.at("step").integer(0, kMost);
  info.samples_seen = root.at("samples_seen").integer(0, kMost);
  info.seed = root.at("seed").unsigned_integer();
  info.model = root.at("model").text();
  info.optimizer = root.at("optimizer").text();
  info.compute_dtype = root.at("compute_dtype").text();
  info.configuration = root.at("configuration").text();
  info.mesh = root.at("mesh").text();
  const Reader extra = root.at("extra");
  if (!extra.json().is_object()) extra.refuse("is {}, must be an object", extra.json().type_name());
  info.extra = dump_json(extra.json());
  if (root.has("smoothed_loss")) info.smoothed_loss = root.at("smoothed_loss").number();
  if (root.has("judged")) {
    const Reader judged = root.at("judged");
    if (!judged.json().is_object())
      judged.refuse("is {}, must be an object", judged.json().type_name());
    for (const auto& [name, value] : judged.json().items()) {
      info.judged[name] = judged.at(name.c_str()).number();
    }
  }
  return info;
}

StoredExtra read_extra(const Reader& reader) {
  StoredExtra extra{plain_name(reader.at("name")), reader.at("type").text(),
                    reader.at("elements").integer(0, kMostElements),
                    reader.at("checksum").checksum_value()};
  for (const char* type : {"float32", "float64", "int32", "int64"}) {
    if (extra.type == type) return extra;
  }
  reader.refuse("type \"{}\" is unknown", extra.type);
}

TensorPart read_part(const Reader& tensor) {
  TensorPart part;
  if (tensor.has("part")) part.name = plain_name(tensor.at("part"));
  if (!tensor.has("use")) return part;
  const std::string use = tensor.at("use").text();
  if (use != "training" || part.name.empty()) {
    tensor.at("use").refuse("is \"{}\" of part \"{}\", must be \"training\" of a part", use,
                            part.name);
  }
  part.training_only = true;
  return part;
}

StoredFragment read_fragment(const Reader& reader, const Manifest& manifest) {
  StoredFragment fragment;
  fragment.tensor = reader.at("tensor").index(manifest.tensors.size());
  const LogicalTensor& tensor = manifest.tensors[fragment.tensor];
  fragment.region = Region::of_whole(tensor.shape, reader.at("begin").integer(0, kMostElements),
                                     reader.at("end").integer(0, kMostElements));
  if (reader.has("origin") || reader.has("extent")) {
    fragment.region.origin = reader.at("origin").shape(0);
    fragment.region.extent = reader.at("extent").shape(1);
  }
  if (!fits(fragment.region, tensor.shape)) {
    reader.refuse("elements {}-{} do not fit {} of shape {}", fragment.region.begin,
                  fragment.region.end, tensor.name, to_string(tensor.shape));
  }
  fragment.file = reader.at("file").index(manifest.files.size());
  for (const Reader& sum : reader.at("checksums").list()) {
    fragment.checksums.push_back(sum.checksum_value());
  }
  if (fragment.checksums.size() != manifest.arrays.size()) {
    reader.refuse("has {} checksums, there are {} arrays", fragment.checksums.size(),
                  manifest.arrays.size());
  }
  return fragment;
}

// The values of all fragments are in the files, so these bound what the fragments may claim.
void require_plausible_size(const Manifest& manifest, const Reader& root) {
  std::uint64_t stored = 0, claimed = 0;
  const std::size_t each = manifest.half_arrays.empty() ? sizeof(float) : sizeof(std::uint16_t);
  for (const StoredFile& file : manifest.files) {
    stored =
        file.bytes > kMostElements - stored ? std::uint64_t{kMostElements} : stored + file.bytes;
  }
  for (const LogicalTensor& tensor : manifest.tensors) {
    claimed += static_cast<std::uint64_t>(tensor.shape.elements()) * each;
    if (claimed > stored) {
      root.refuse("the tensors up to {} need {} bytes, the files have {}", tensor.name, claimed,
                  stored);
    }
  }
}

void require_exact_cover(const Manifest& manifest, const Reader& root) {
  std::vector<std::vector<Run>> runs(manifest.tensors.size());
  for (const StoredFragment& fragment : manifest.fragments) {
    const auto more = runs_of(fragment.region, manifest.tensors[fragment.tensor].shape);
    runs[fragment.tensor].insert(runs[fragment.tensor].end(), more.begin(), more.end());
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::sort(runs[i].begin(), runs[i].end(),
              [](const Run& a, const Run& b) { return a.logical < b.logical; });
    std::int64_t end = 0;
    for (const Run& run : runs[i]) {
      if (run.logical != end) {
        root.refuse("{}: {} element {}", manifest.tensors[i].name,
                    run.logical > end ? "no fragment holds" : "two fragments hold",
                    std::min(run.logical, end));
      }
      end += run.length;
    }
    if (end != manifest.tensors[i].shape.elements()) {
      root.refuse("{}: no fragment holds element {}", manifest.tensors[i].name, end);
    }
  }
}

Manifest read_manifest(const Reader& root, Extent extent) {
  if (!root.has("format") || root.at("format").text() != "edt-checkpoint") {
    root.refuse("is not the manifest of a checkpoint");
  }
  const std::int64_t version = root.at("version").integer(0, 1 << 20);
  if (version != kCheckpointVersion) {
    root.refuse("format version is {}, this program reads {}", version, kCheckpointVersion);
  }
  Manifest manifest;
  manifest.info = read_info(root);
  for (const Reader& name : root.at("arrays").list()) {
    manifest.arrays.push_back(plain_name(name));
  }
  if (root.has("float16")) {
    for (const Reader& name : root.at("float16").list()) {
      if (!manifest.has_array(name.text())) name.refuse("there is no array \"{}\"", name.text());
      manifest.half_arrays.push_back(name.text());
    }
  }
  for (const Reader& file : root.at("files").list()) {
    manifest.files.push_back({plain_name(file.at("name")), file.at("bytes").unsigned_integer(),
                              file.at("checksum").checksum_value()});
  }
  for (const Reader& extra : root.at("extras").list()) {
    manifest.extras.push_back(read_extra(extra));
  }
  for (const Reader& tensor : root.at("tensors").list()) {
    const std::string dtype = tensor.at("dtype").text();
    if (dtype != "float32") tensor.refuse("dtype is {}, must be float32", dtype);
    manifest.tensors.push_back(
        {plain_name(tensor.at("name")), tensor.at("shape").shape(1), read_part(tensor)});
  }
  require_unique(manifest.arrays, root.at("arrays"));
  require_unique(manifest.files, root.at("files"));
  require_unique(manifest.extras, root.at("extras"));
  require_unique(manifest.tensors, root.at("tensors"));
  if (extent == Extent::kWhole) require_plausible_size(manifest, root);
  for (const Reader& fragment : root.at("pieces").list()) {
    manifest.fragments.push_back(read_fragment(fragment, manifest));
  }
  if (extent == Extent::kWhole) require_exact_cover(manifest, root);
  if (manifest.files.empty()) root.refuse("lists no file");
  return manifest;
}

}  // namespace

Manifest parse_manifest(std::string_view text, std::string_view where, Extent extent) {
  std::string fault;
  const Json json = try_parse_ordered_json(text, &fault);
  require<CheckpointError>(fault.empty(), "checkpoint", "{}: {}", where, fault);
  try {
    return read_manifest(Reader(json, std::string(where)), extent);
  } catch (const Json::exception& error) {  // e.g. text that is not UTF-8
    fail<CheckpointError>("checkpoint", "{}: {}", where, error.what());
  }
}

}  // namespace edt
