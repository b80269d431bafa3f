#include "core/record/step_file.h"

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/checksum.h"
#include "core/storage/input_file.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;
using ReadJson = nlohmann::json;

constexpr const char* kFormat = "edt record";
constexpr int kVersion = 1;
constexpr std::array<const char*, 5> kKinds{"samples", "kernel", "collective", "gradient",
                                            "weights"};
constexpr std::array kTypes{DType::kFloat32, DType::kBFloat16, DType::kFloat64, DType::kInt32};

Json json_of(const RecordedTensor& tensor) {
  Json shape = Json::array();
  for (int i = 0; i < tensor.shape.rank(); ++i) shape.push_back(tensor.shape[i]);
  Json json{{"place", tensor.place},
            {"shape", std::move(shape)},
            {"type", name_of(tensor.dtype)},
            {"hash", checksum_text(tensor.hash)}};
  if (!tensor.name.empty()) json["name"] = tensor.name;
  if (!tensor.is_whole()) json["elements"] = {tensor.begin, tensor.end};
  if (tensor.at >= 0) json["at"] = tensor.at;
  return json;
}

Json json_of(std::span<const RecordedTensor> tensors) {
  Json all = Json::array();
  for (const RecordedTensor& tensor : tensors) all.push_back(json_of(tensor));
  return all;
}

Json json_of(const RecordedCall& call) {
  Json json{{"kind", kKinds[static_cast<std::size_t>(call.kind)]}};
  if (call.micro_batch >= 0) json["micro_batch"] = call.micro_batch;
  if (!call.name.empty()) json["name"] = call.name;
  if (!call.of.empty()) json["of"] = call.of;
  if (!call.group.empty()) json["group"] = call.group;
  if (call.count > 0) json["count"] = call.count;
  if (call.again) json["again"] = true;
  if (!call.detail.empty()) json["detail"] = call.detail;
  if (!call.in.empty()) json["in"] = json_of(call.in);
  if (!call.out.empty()) json["out"] = json_of(call.out);
  return json;
}

Json json_of(const RecordHeader& header) {
  return {{"format", kFormat},         {"format_version", kVersion},
          {"step", header.step},       {"rank", header.rank},
          {"ranks", header.ranks},     {"tensor_ranks", header.tensor_ranks},
          {"device", header.device},   {"threads", header.threads},
          {"version", header.version}, {"configuration", header.configuration},
          {"data", header.data}};
}

template <class Names>
std::size_t find(const Names& names, std::string_view name, const std::string& where) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return i;
  }
  fail<DataError>("record", "{}: there is no '{}'", where, name);
}

DType type_of(std::string_view name, const std::string& where) {
  std::array<std::string_view, kTypes.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = name_of(kTypes[i]);
  return kTypes[find(names, name, where)];
}

Shape shape_of(const ReadJson& json, const std::string& where) {
  require<DataError>(json.is_array() && json.size() <= Shape::kMaxRank, "record",
                     "{}: a shape is {}", where, dump_json(json));
  Shape shape;
  for (const ReadJson& one : json) {
    const auto size = one.get<std::int64_t>();
    require<DataError>(size >= 0 && size <= std::int64_t{1} << 40, "record", "{}: a shape is {}",
                       where, dump_json(json));
    shape.append(size);
  }
  return shape;
}

RecordedTensor tensor_of(const ReadJson& json, const std::string& where) {
  RecordedTensor tensor{.place = json.at("place"),
                        .name = json.value("name", std::string()),
                        .shape = shape_of(json.at("shape"), where),
                        .dtype = type_of(json.at("type").get<std::string>(), where),
                        .hash = parse_checksum(json.at("hash").get<std::string>()),
                        .at = json.value("at", std::int64_t{-1})};
  tensor.end = tensor.shape.elements();
  if (json.contains("elements")) {
    const auto [begin, end] = json.at("elements").get<std::pair<std::int64_t, std::int64_t>>();
    require<DataError>(0 <= begin && begin <= end && end <= tensor.end, "record",
                       "{}: elements {}..{} of a tensor of {}", where, begin, end, tensor.end);
    tensor.begin = begin;
    tensor.end = end;
  }
  return tensor;
}

RecordedCall call_of(const ReadJson& json, const std::string& where) {
  RecordedCall call;
  call.kind = static_cast<CallKind>(find(kKinds, json.at("kind").get<std::string>(), where));
  call.micro_batch = json.value("micro_batch", std::int64_t{-1});
  call.name = json.value("name", std::string());
  call.of = json.value("of", std::string());
  call.group = json.value("group", std::string());
  call.count = json.value("count", std::int64_t{0});
  call.again = json.value("again", false);
  call.detail = json.value("detail", std::string());
  for (const ReadJson& one : json.value("in", ReadJson::array())) {
    call.in.push_back(tensor_of(one, where));
  }
  for (const ReadJson& one : json.value("out", ReadJson::array())) {
    call.out.push_back(tensor_of(one, where));
  }
  return call;
}

RecordHeader header_of(const ReadJson& json, const std::string& where) {
  const std::string format = json.value("format", std::string());
  require<DataError>(format == kFormat, "record", "{}: the format is '{}', must be '{}'", where,
                     format, kFormat);
  const int version = json.at("format_version");
  require<DataError>(version == kVersion, "record", "{}: format version {}, this edt reads {}",
                     where, version, kVersion);
  return {.step = json.at("step"),
          .rank = json.at("rank"),
          .ranks = json.at("ranks"),
          .tensor_ranks = json.at("tensor_ranks"),
          .device = json.at("device"),
          .threads = json.at("threads"),
          .version = json.at("version"),
          .configuration = json.at("configuration"),
          .data = json.at("data")};
}

template <class T>
std::vector<double> as_doubles(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  std::vector<double> doubles;
  doubles.reserve(values.size());
  for (const T value : values) {
    if constexpr (std::is_same_v<T, bfloat16>) {
      doubles.push_back(static_cast<float>(value));
    } else {
      doubles.push_back(static_cast<double>(value));
    }
  }
  return doubles;
}

// The lines of a file, which each end with a line feed.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return lines;
}

RecordedFile parse(const std::filesystem::path& path, std::span<const std::string_view> lines) {
  RecordedFile file{.path = path};
  std::size_t number = 0;
  std::int64_t announced = -1;
  std::string where;
  try {
    for (const std::string_view line : lines) {
      where = fmt::format("{}:{}", path.string(), ++number);
      const ReadJson json = parse_json(line, where);
      if (number == 1) {
        file.header = header_of(json, where);
      } else if (json.contains("calls")) {
        announced = json.at("calls");
      } else {
        file.calls.push_back(call_of(json, where));
      }
    }
  } catch (const ReadJson::exception& error) {
    fail<DataError>("record", "{}: {}", where, error.what());
  }
  const auto count = static_cast<std::int64_t>(file.calls.size());
  require<DataError>(announced >= 0, "record", "{}: cut off after {} calls", path.string(), count);
  require<DataError>(announced == count, "record", "{}: {} calls, its end says {}", path.string(),
                     count, announced);
  return file;
}

}  // namespace

std::filesystem::path record_directory(const std::filesystem::path& run) { return run / "record"; }

std::filesystem::path step_file(const std::filesystem::path& directory, std::int64_t step,
                                int rank) {
  return directory / fmt::format("step-{:08}.rank-{}.jsonl", step, rank);
}

std::filesystem::path values_file(const std::filesystem::path& step_file) {
  return std::filesystem::path(step_file).replace_extension(".values");
}

StepFileWriter::StepFileWriter(const std::filesystem::path& directory, RecordHeader header)
    : path_(step_file(directory, header.step, header.rank)), header_(std::move(header)) {}

std::int64_t StepFileWriter::keep_values(std::span<const std::byte> bytes) {
  if (!values_) values_ = std::make_unique<DurableFile>(values_file(path_));
  const auto begin = static_cast<std::int64_t>(values_->written());
  values_->write(bytes);
  return begin;
}

void StepFileWriter::finish(std::span<const RecordedCall> calls) {
  std::error_code ignored;
  if (!values_) std::filesystem::remove(values_file(path_), ignored);  // of an earlier record
  if (values_) values_->commit();
  DurableFile file(path_);
  file.write(dump_json(json_of(header_)) + "\n");
  for (const RecordedCall& call : calls) file.write(dump_json(json_of(call)) + "\n");
  file.write(dump_json(Json{{"calls", calls.size()}}) + "\n");
  file.commit();
}

RecordedFile read_step_file(const std::filesystem::path& path) {
  constexpr std::uint64_t kLimit = std::uint64_t{4} << 30;
  const std::string text = read_text(path, kLimit);
  require<DataError>(!text.empty(), "record", "{}: empty", path.string());
  require<DataError>(text.back() == '\n', "record", "{}: cut off within a line", path.string());
  return parse(path, lines_of(text));
}

std::vector<double> read_values(const RecordedFile& file, const RecordedTensor& tensor) {
  EDT_ASSERT(tensor.at >= 0);
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.end - tensor.begin) *
                               size_of(tensor.dtype));
  InputFile(values_file(file.path)).read(static_cast<std::uint64_t>(tensor.at), bytes);
  switch (tensor.dtype) {
    case DType::kFloat32:
      return as_doubles<float>(bytes);
    case DType::kBFloat16:
      return as_doubles<bfloat16>(bytes);
    case DType::kFloat64:
      return as_doubles<double>(bytes);
    case DType::kInt32:
      return as_doubles<std::int32_t>(bytes);
  }
  return {};
}

}  // namespace edt
