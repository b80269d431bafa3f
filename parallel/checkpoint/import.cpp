#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/storage/half.h"
#include "core/storage/safetensors.h"
#include "parallel/checkpoint/exchange.h"
#include "parallel/checkpoint/tensor_dims.h"
#include "parallel/checkpoint/writer.h"

namespace edt {
namespace {

// By how much a stored value may differ from a computed one: published tables were computed in
// double and rounded, and another libm may differ in the last bits; a narrow type then keeps its 11
// or 8 significant bits, rounded or cut off.
float tolerance(SafetensorsType type, float value) {
  constexpr float kComputed = 1e-5f, kHalf = 0x1p-10f, kBFloat16 = 0x1p-7f;
  if (type == SafetensorsType::kF16) return kComputed + kHalf * std::abs(value);
  if (type == SafetensorsType::kBF16) return kComputed + kBFloat16 * std::abs(value);
  return kComputed;
}

// The type that the values were rounded to: a file may have been widened again since.
SafetensorsType narrowest_type(SafetensorsType stored, std::span<const float> values) {
  if (stored != SafetensorsType::kF32 && stored != SafetensorsType::kF64) return stored;
  const auto is_bfloat16 = [](float value) {
    return (std::bit_cast<std::uint32_t>(value) & 0xffff) == 0;
  };
  const auto is_half = [](float value) { return half_to_float(float_to_half(value)) == value; };
  // Most of bf16's values are float16's too.
  if (std::ranges::all_of(values, is_bfloat16)) return SafetensorsType::kBF16;
  return std::ranges::all_of(values, is_half) ? SafetensorsType::kF16 : stored;
}

// A file, and under which names it has which tensor.
class Import {
 public:
  Import(const SafetensorsReader& reader, const ImportRequest& request);

  // Everything but the values of the weights; throws DataError.
  void check();
  void read(std::size_t tensor, std::span<float> values) const;
  ExchangeReport report(const std::filesystem::path& path) const;

 private:
  const NamedTensor& named(std::size_t tensor) const {
    return request_.schemes[chosen_.scheme].tensors[tensor];
  }
  const SafetensorsEntry& entry(const std::string& name) const {
    return reader_.entry(chosen_.prefix + name);
  }
  void choose();
  void enlist();
  bool is_elsewhere(const SafetensorsEntry& entry) const;
  void check_entry(const SafetensorsEntry& entry);
  void check_weight(const SafetensorsEntry& entry, std::size_t tensor) const;
  // Whether the file has twice the rows of it, as it may.
  bool is_doubled(std::size_t tensor) const;
  void read_half(std::size_t tensor, std::span<float> values) const;
  void check_table(const SafetensorsEntry& entry, const FixedTensor& fixed) const;
  void require_shape(const SafetensorsEntry& entry, const std::vector<std::uint64_t>& dims) const;
  void require_present() const;
  void require_equal(const std::string& first, const std::string& copy) const;

  const SafetensorsReader& reader_;
  const ImportRequest& request_;
  const std::string path_;
  std::vector<NamesFound> found_;
  NamesFound chosen_;
  std::map<std::string, std::size_t, std::less<>> tensor_of_;  // by the name in the file
  std::vector<std::string> skipped_;
};

Import::Import(const SafetensorsReader& reader, const ImportRequest& request)
    : reader_(reader), request_(request), path_(reader.path().string()) {
  std::vector<bool> needed = request.fresh;
  needed.flip();
  found_ = find_names(reader, request.schemes, needed);
  choose();
  enlist();
}

void Import::choose() {
  if (request_.prefix) {
    const auto given = std::ranges::find(found_, *request_.prefix, &NamesFound::prefix);
    std::vector<std::string> there;
    for (const NamesFound& one : found_) there.push_back("'" + one.prefix + "'");
    require<UsageError>(given != found_.end(), "import",
                        "{}: --prefix is '{}', the model's tensors are there under {}", path_,
                        *request_.prefix,
                        there.empty() ? "none" : fmt::format("{}", fmt::join(there, " and ")));
    chosen_ = *given;
    return;
  }
  if (found_.empty()) return;  // the first tensor that is missing will be named
  chosen_ = found_.front();
  if (found_.size() < 2 || !found_[1].complete) return;
  std::vector<std::string> all;
  for (const NamesFound& one : found_) {
    if (one.complete) all.push_back("'" + one.prefix + "'");
  }
  fail<UsageError>("import",
                   "{}: the model's tensors are there {} times, under {}: --prefix chooses", path_,
                   all.size(), fmt::join(all, " and "));
}

void Import::enlist() {
  for (std::size_t i = 0; i < request_.expected.size(); ++i) {
    for (const std::string& name : all_names(named(i))) tensor_of_[name] = i;
  }
}

void Import::check() {
  for (const SafetensorsEntry& entry : reader_.entries()) check_entry(entry);
  require_present();
  for (std::size_t i = 0; i < request_.expected.size(); ++i) {
    if (request_.fresh[i]) continue;
    for (const auto& copy : named(i).copies) {
      for (std::size_t part = 0; part < copy.size(); ++part) {
        require_equal(named(i).parts[part], copy[part]);
      }
    }
  }
}

// Whether an entry has another prefix than the one that is taken.
bool Import::is_elsewhere(const SafetensorsEntry& entry) const {
  return !entry.name.starts_with(chosen_.prefix) ||
         std::ranges::any_of(found_, [&](const NamesFound& other) {
           return other.prefix.size() > chosen_.prefix.size() &&
                  entry.name.starts_with(other.prefix);
         });
}

void Import::check_entry(const SafetensorsEntry& entry) {
  const bool elsewhere = is_elsewhere(entry);
  const std::string name = elsewhere ? "" : entry.name.substr(chosen_.prefix.size());
  const auto known = tensor_of_.find(name);
  const auto fixed = std::ranges::find(request_.fixed, name, &FixedTensor::name);
  if (known != tensor_of_.end() && !request_.fresh[known->second]) {
    return check_weight(entry, known->second);
  }
  skipped_.push_back(entry.name);
  if (fixed != request_.fixed.end()) return check_table(entry, *fixed);
  // Index tables and counters are no weights; and what has another prefix may be left there.
  const bool may_be_left = elsewhere && request_.prefix.has_value();
  if (known != tensor_of_.end() || may_be_left || !is_floating(entry.type)) return;
  fail<DataError>("safetensors", "{}: the model has no tensor {} (shape [{}]){}", path_, entry.name,
                  fmt::join(entry.shape, ", "),
                  elsewhere ? fmt::format("; --prefix '{}' takes what begins so, and nothing else",
                                          chosen_.prefix)
                            : "");
}

void Import::check_weight(const SafetensorsEntry& entry, std::size_t tensor) const {
  auto dims = dims_of(request_.expected[tensor].shape);
  if (named(tensor).parts.size() > 1) dims[0] /= named(tensor).parts.size();
  if (!is_doubled(tensor)) require_shape(entry, dims);
  require<DataError>(is_floating(entry.type), "safetensors",
                     "{}: {} is of type {}, a floating-point type is needed", path_, entry.name,
                     name_of(entry.type));
}

bool Import::is_doubled(std::size_t tensor) const {
  const LogicalTensor& expected = request_.expected[tensor];
  const std::string name = chosen_.prefix + named(tensor).parts.front();
  if (!request_.first_halves.contains(expected.name) || reader_.find(name) == nullptr) return false;
  auto dims = dims_of(expected.shape);
  dims[0] *= 2;
  return named(tensor).parts.size() == 1 && reader_.entry(name).shape == dims;
}

void Import::read_half(std::size_t tensor, std::span<float> values) const {
  const LogicalTensor& expected = request_.expected[tensor];
  const auto rows = static_cast<std::size_t>(expected.shape[0]);
  const std::size_t size =  // of the rows that are taken together
      values.size() / rows * static_cast<std::size_t>(request_.first_halves.at(expected.name));
  std::vector<float> all(2 * values.size());
  reader_.read(entry(named(tensor).parts.front()), 0, std::span<float>(all));
  for (std::size_t at = 0; at < values.size(); at += size) {
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(2 * at), size,
                values.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

void Import::require_shape(const SafetensorsEntry& entry,
                           const std::vector<std::uint64_t>& dims) const {
  if (entry.shape == dims) return;
  fail<DataError>("safetensors", "{}: {} has shape [{}], the model has [{}]", path_, entry.name,
                  fmt::join(entry.shape, ", "), fmt::join(dims, ", "));
}

void Import::check_table(const SafetensorsEntry& entry, const FixedTensor& fixed) const {
  require_shape(entry, dims_of(fixed.shape));
  if (fixed.values.empty() || !is_floating(entry.type)) return;
  std::vector<float> values(fixed.values.size());
  reader_.read(entry, 0, std::span<float>(values));
  const SafetensorsType type = narrowest_type(entry.type, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float allowed = tolerance(type, fixed.values[i]);
    if (std::abs(values[i] - fixed.values[i]) <= allowed) continue;  // NaN is refused too
    fail<DataError>("safetensors", "{}: {} element {} is {}, the model computes {}", path_,
                    entry.name, i, values[i], fixed.values[i]);
  }
}

void Import::require_present() const {
  for (std::size_t i = 0; i < request_.expected.size(); ++i) {
    if (request_.fresh[i]) continue;
    for (const std::string& name : all_names(named(i))) {
      require<DataError>(reader_.find(chosen_.prefix + name) != nullptr, "safetensors",
                         "{}: tensor {} of shape {} is missing", path_, chosen_.prefix + name,
                         to_string(request_.expected[i].shape));
    }
  }
}

void Import::require_equal(const std::string& first, const std::string& copy) const {
  const SafetensorsEntry& a = entry(first);
  const SafetensorsEntry& b = entry(copy);
  std::vector<float> x(a.elements()), y(b.elements());
  reader_.read(a, 0, std::span<float>(x));
  reader_.read(b, 0, std::span<float>(y));
  const auto [at, other] = std::ranges::mismatch(x, y);
  if (at == x.end()) return;
  fail<DataError>("safetensors", "{}: {} and {} differ in element {}: {} and {}; the model has one",
                  path_, a.name, b.name, at - x.begin(), *at, *other);
}

void Import::read(std::size_t tensor, std::span<float> values) const {
  const auto& parts = named(tensor).parts;
  const std::size_t size = values.size() / parts.size();
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const auto range = values.subspan(part * size, size);
    if (is_doubled(tensor)) {
      read_half(tensor, range);
    } else {
      reader_.read(entry(parts[part]), 0, range);
    }
    require<DataError>(all_finite(range), "safetensors", "{}: {} holds NaN or infinity", path_,
                       chosen_.prefix + parts[part]);
  }
}

ExchangeReport Import::report(const std::filesystem::path& path) const {
  ExchangeReport report{.path = path,
                        .tensors = request_.expected.size(),
                        .scheme = request_.schemes[chosen_.scheme].scheme,
                        .prefix = chosen_.prefix,
                        .skipped = skipped_};
  for (std::size_t i = 0; i < request_.expected.size(); ++i) {
    if (request_.fresh[i]) {
      report.fresh.push_back(request_.expected[i].name);
    } else {
      ++report.types[std::string(name_of(entry(named(i).parts.front()).type))];
      if (is_doubled(i)) report.halved.push_back(request_.expected[i].name);
    }
  }
  return report;
}

}  // namespace

ExchangeReport import_safetensors(const std::filesystem::path& file, const ImportRequest& request,
                                  const CheckpointInfo& info, const CheckpointStore& store) {
  require<UsageError>(
      store.entries().empty(), "checkpoint", "{} already holds {}", store.directory().string(),
      store.entries().empty() ? "" : store.entries().front().path.filename().string());
  EDT_ASSERT(request.fresh.size() == request.expected.size());
  const SafetensorsReader reader(file);
  Import import(reader, request);
  import.check();

  CheckpointState state;
  std::int64_t elements = 0;
  for (const LogicalTensor& tensor : request.expected) {
    state.tensors.push_back(tensor);
    state.fragments.push_back({state.fragments.size(), Region::of_whole(tensor.shape), elements});
    elements += tensor.shape.elements();
  }
  std::vector<float> weights(static_cast<std::size_t>(elements));
  for (const StateFragment& fragment : state.fragments) {
    const auto values =
        std::span(weights).subspan(static_cast<std::size_t>(fragment.offset),
                                   static_cast<std::size_t>(fragment.region.elements()));
    if (request.fresh[fragment.tensor]) {
      request.draw(fragment.tensor, values);
    } else {
      import.read(fragment.tensor, values);
    }
  }
  state.arrays = {{std::string(kMasterArray), weights}, {std::string(kEmaArray), weights}};
  CheckpointInfo imported = info;
  imported.step = imported.samples_seen = 0;
  imported.optimizer.clear();
  write_checkpoint(store, state, imported, {});
  ExchangeReport report = import.report(store.path_of(0));
  report.elements = elements;
  report.bytes = Checkpoint::open(report.path).bytes();
  return report;
}

}  // namespace edt
