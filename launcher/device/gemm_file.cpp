#include "launcher/device/gemm_file.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/durable_file.h"
#include "core/storage/missing_path.h"

namespace edt {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kFormat = "edt products 5";

// One object of the file, whose members are asked for by name and type.
class Reader {
 public:
  // `place` begins every message: "FILE" or "FILE: product 3".
  Reader(const json& object, std::string place) : object_(object), place_(std::move(place)) {
    require<DataError>(object.is_object(), "products", "{}: {} is no object", place_,
                       dump_json(object));
  }

  const std::string& place() const { return place_; }
  void name(const std::string& more) { place_ += more; }

  Reader object(const char* name) const {
    return {member(name), fmt::format("{}: {}", place_, name)};
  }
  const json& array(const char* name) const {
    return expect(name, member(name).is_array(), "a list");
  }
  std::string text(const char* name) const {
    return expect(name, member(name).is_string(), "a text").get<std::string>();
  }
  bool flag(const char* name) const {
    return expect(name, member(name).is_boolean(), "true or false").get<bool>();
  }
  double seconds(const char* name) const {
    const json& value = expect(name, member(name).is_number(), "a number");
    return expect(name, std::isfinite(value.get<double>()) && value > 0, "above 0").get<double>();
  }
  double number(const char* name) const {
    const json& value = expect(name, member(name).is_number(), "a number");
    return expect(name, value >= 0, "0 or more").get<double>();
  }
  int count(const char* name, std::int64_t lowest) const {
    return static_cast<int>(
        std::min<std::int64_t>(integer(name, lowest), std::numeric_limits<int>::max()));
  }
  double seconds_or_none(const char* name) const { return member(name) == 0 ? 0 : seconds(name); }
  // Of [lowest, 2^53]: what JSON has exactly.
  std::int64_t integer(const char* name, std::int64_t lowest = 0) const {
    const json& value = expect(name, member(name).is_number_integer(), "a whole number");
    constexpr std::int64_t kHighest = std::int64_t{1} << 53;
    const bool fits = value >= lowest && value <= kHighest;
    return expect(name, fits, fmt::format("from {} to {}", lowest, kHighest)).get<std::int64_t>();
  }
  // One of `all`, which have names.
  template <class T, class All>
  T named(const char* name, const All& all) const {
    const std::string text = this->text(name);
    for (const T one : all) {
      if (name_of(one) == text) return one;
    }
    fail<DataError>("products", "{}: {} is '{}', which is none", place_, name, text);
  }

 private:
  const json& member(const char* name) const {
    require<DataError>(object_.contains(name), "products", "{}: {} is missing", place_, name);
    return object_[name];
  }
  const json& expect(const char* name, bool holds, std::string_view what) const {
    require<DataError>(holds, "products", "{}: {} is {}, must be {}", place_, name,
                       dump_json(member(name)), what);
    return member(name);
  }

  const json& object_;
  std::string place_;
};

constexpr DType kTypes[] = {DType::kFloat32, DType::kBFloat16};

std::uint32_t alignment(const Reader& reader, const char* name) {
  const std::int64_t bytes = reader.integer(name, 1);
  require<DataError>(bytes <= 16 && (bytes & (bytes - 1)) == 0, "products",
                     "{}: {} is {}, must be a power of two up to 16", reader.place(), name, bytes);
  return static_cast<std::uint32_t>(bytes);
}

GemmKey key_of(const Reader& gemm) {
  const Reader batch = gemm.object("batch"), aligned = gemm.object("alignment");
  GemmKey key;
  key.m = gemm.integer("m", 1);
  key.n = gemm.integer("n", 1);
  key.k = gemm.integer("k", 1);
  key.b_stride = gemm.integer("b_stride");
  key.y_stride = gemm.integer("y_stride");
  key.batch = {.count = batch.integer("count", 1),
               .a = batch.integer("a"),
               .b = batch.integer("b"),
               .y = batch.integer("y"),
               .bias = batch.integer("bias")};
  key.a_transposed = gemm.flag("a_transposed");
  key.b_transposed = gemm.flag("b_transposed");
  key.in = gemm.named<DType>("in", kTypes);
  key.out = gemm.named<DType>("out", kTypes);
  key.tf32 = gemm.flag("tf32");
  key.epilogue = gemm.named<Epilogue>("epilogue", kEpilogues);
  key.a_alignment = alignment(aligned, "a");
  key.b_alignment = alignment(aligned, "b");
  key.y_alignment = alignment(aligned, "y");
  key.extra_alignment = alignment(aligned, "extra");
  return key;
}

constexpr std::size_t kWordDigits = 16;

std::array<std::uint64_t, 8> algorithm_of(const Reader& gemm) {
  const std::string digits = gemm.text("algorithm");
  std::array<std::uint64_t, 8> words{};
  require<DataError>(digits.size() == words.size() * kWordDigits, "products",
                     "{}: algorithm has {} digits, must have {}", gemm.place(), digits.size(),
                     words.size() * kWordDigits);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const char* begin = digits.data() + i * kWordDigits;
    const auto [end, error] = std::from_chars(begin, begin + kWordDigits, words[i], 16);
    require<DataError>(error == std::errc{} && end == begin + kWordDigits, "products",
                       "{}: algorithm has '{}', must be hexadecimal digits", gemm.place(),
                       std::string_view(begin, kWordDigits));
  }
  return words;
}

TunedGemm tuned_of(const Reader& gemm) {
  return {.algorithm = algorithm_of(gemm),
          .first_seconds = gemm.seconds("first_seconds"),
          .seconds = gemm.seconds("seconds"),
          .place = gemm.count("place", 0),
          .candidates = gemm.count("candidates", 1),
          .rounds = gemm.count("rounds", 1),
          .fused_seconds = gemm.seconds_or_none("fused_seconds"),
          .apart_seconds = gemm.seconds_or_none("apart_seconds"),
          .apart = gemm.flag("apart")};
}

AttentionKey attention_key_of(const Reader& attention) {
  return {.batch = attention.integer("batch", 1),
          .tokens = attention.integer("tokens", 1),
          .heads = attention.integer("heads", 1),
          .size = attention.integer("size", 1),
          .rows = attention.integer("rows", 1),
          .columns = attention.integer("columns", 1),
          .biased = attention.flag("biased"),
          .backward = attention.flag("backward")};
}

TunedAttention tuned_attention_of(const Reader& attention) {
  return {.seconds = attention.seconds("seconds"),
          .warpgroup_seconds = attention.seconds("warpgroup_seconds"),
          .difference = attention.number("difference"),
          .rounds = attention.count("rounds", 1),
          .warpgroups = attention.flag("warpgroups")};
}

ordered_json to_json(const AttentionKey& key, const TunedAttention& tuned) {
  return {{"batch", key.batch},
          {"tokens", key.tokens},
          {"heads", key.heads},
          {"size", key.size},
          {"rows", key.rows},
          {"columns", key.columns},
          {"biased", key.biased},
          {"backward", key.backward},
          {"seconds", tuned.seconds},
          {"warpgroup_seconds", tuned.warpgroup_seconds},
          {"difference", tuned.difference},
          {"rounds", tuned.rounds},
          {"warpgroups", tuned.warpgroups}};
}

ordered_json to_json(const GemmKey& key, const TunedGemm& tuned) {
  return {{"m", key.m},
          {"n", key.n},
          {"k", key.k},
          {"a_transposed", key.a_transposed},
          {"b_transposed", key.b_transposed},
          {"in", name_of(key.in)},
          {"out", name_of(key.out)},
          {"tf32", key.tf32},
          {"epilogue", name_of(key.epilogue)},
          {"b_stride", key.b_stride},
          {"y_stride", key.y_stride},
          {"batch",
           {{"count", key.batch.count},
            {"a", key.batch.a},
            {"b", key.batch.b},
            {"y", key.batch.y},
            {"bias", key.batch.bias}}},
          {"alignment",
           {{"a", key.a_alignment},
            {"b", key.b_alignment},
            {"y", key.y_alignment},
            {"extra", key.extra_alignment}}},
          {"algorithm", fmt::format("{:016x}", fmt::join(tuned.algorithm, ""))},
          {"first_seconds", tuned.first_seconds},
          {"seconds", tuned.seconds},
          {"place", tuned.place},
          {"candidates", tuned.candidates},
          {"rounds", tuned.rounds},
          {"fused_seconds", tuned.fused_seconds},
          {"apart_seconds", tuned.apart_seconds},
          {"apart", tuned.apart}};
}

}  // namespace

std::string text_of_gemm(const GemmKey& key) {
  return fmt::format("{}{}{} x {}{} x {} {}{}, {}",
                     key.batch.count > 1 ? fmt::format("{} of ", key.batch.count) : "", key.m,
                     key.a_transposed ? "T" : "", key.n, key.b_transposed ? "T" : "", key.k,
                     key.tf32 ? "tf32" : name_of(key.in),
                     key.in == key.out ? "" : fmt::format(" to {}", name_of(key.out)),
                     name_of(key.epilogue));
}

std::string text_of_attention(const AttentionKey& key) {
  return fmt::format("{} x {} x {} tokens, {} heads of {}{}, {}", key.batch, key.rows, key.columns,
                     key.heads, key.size, key.biased ? "" : ", no bias",
                     key.backward ? "backward" : "forward");
}

GemmFile parse_gemm_file(std::string_view text, const std::string& name) {
  const json whole = try_parse_json(text);
  require<DataError>(!whole.is_discarded(), "products", "{} is no JSON", name);
  const Reader reader(whole, name);
  const std::string format = reader.text("format");
  require<DataError>(format == kFormat, "products", "{}: format is '{}', must be '{}'", name,
                     format, kFormat);
  GemmFile file{.gpu = {reader.text("gpu"), reader.text("compute_capability"),
                        static_cast<int>(reader.integer("multiprocessors", 1)),
                        static_cast<std::uint64_t>(reader.integer("cublaslt"))},
                .tuned = {.source = name, .gemms = {}}};
  std::map<GemmKey, std::size_t> places;
  std::size_t place = 0;
  for (const json& one : reader.array("products")) {
    Reader gemm(one, fmt::format("{}: product {}", name, ++place));
    const GemmKey key = key_of(gemm);
    gemm.name(fmt::format(" ({})", text_of_gemm(key)));
    const auto [first, is_new] = places.emplace(key, place);
    require<DataError>(is_new, "products", "{} is product {} again", gemm.place(), first->second);
    file.tuned.gemms.emplace(key, tuned_of(gemm));
  }
  place = 0;
  std::map<AttentionKey, std::size_t> attentions;
  for (const json& one : reader.array("attention")) {
    const Reader attention(one, fmt::format("{}: attention {}", name, ++place));
    const AttentionKey key = attention_key_of(attention);
    const auto [first, is_new] = attentions.emplace(key, place);
    require<DataError>(is_new, "products", "{} ({}) is attention {} again", attention.place(),
                       text_of_attention(key), first->second);
    file.tuned.attentions.emplace(key, tuned_attention_of(attention));
  }
  return file;
}

std::string format_gemm_file(const GemmFile& file) {
  const ordered_json head{{"format", kFormat},
                          {"gpu", file.gpu.name},
                          {"compute_capability", file.gpu.capability},
                          {"multiprocessors", file.gpu.multiprocessors},
                          {"cublaslt", file.gpu.cublaslt}};
  std::string text = dump_json(head, 1);
  text.resize(text.size() - 2);  // the brace and its line
  const auto add_list = [&](std::string_view name, const auto& entries) {
    text += fmt::format(",\n \"{}\": [", name);
    std::string_view separator = "\n  ";
    for (const auto& [key, tuned] : entries) {
      text += separator;
      text += dump_json(to_json(key, tuned));
      separator = ",\n  ";
    }
    text += "\n ]";
  };
  add_list("products", file.tuned.gemms);
  add_list("attention", file.tuned.attentions);
  return text + "\n}\n";
}

std::string read_gemm_file(const std::filesystem::path& path) {
  require<UsageError>(std::filesystem::is_regular_file(path), "products",
                      "{}: there is no such file{}", path.string(), missing_path_hint(path));
  return read_text(path);
}

void require_gpu(const GemmFile& file, const GpuType& here) {
  const auto equal = [&](std::string_view what, const auto& made, const auto& now) {
    require<DataError>(made == now, "products", "{} was made for {} {}, here is {}",
                       file.tuned.source, what, made, now);
  };
  equal("GPU", file.gpu.name, here.name);
  equal("compute capability", file.gpu.capability, here.capability);
  equal("multiprocessors", file.gpu.multiprocessors, here.multiprocessors);
  equal("cuBLASLt", file.gpu.cublaslt, here.cublaslt);
}

}  // namespace edt
