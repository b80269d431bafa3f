#include "core/ops/cases/case_inputs.h"

#include <algorithm>
#include <numeric>

#include "core/random/stream.h"

namespace edt {
namespace {

CaseInputs::Generator scaled(std::string_view name, double scale) {
  return [name = std::string(name), scale](std::int64_t count) {
    std::vector<double> values = draw(name, count);
    for (double& value : values) value *= scale;
    return values;
  };
}

template <class T>
void write_as(const std::vector<double>& values, T* to) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<T, bfloat16>) {
      to[i] = bfloat16(static_cast<float>(values[i]));
    } else {
      to[i] = static_cast<T>(values[i]);
    }
  }
}

template <class T>
std::vector<double> read_as(std::span<T> from) {
  std::vector<double> values;
  values.reserve(from.size());
  for (const T& value : from) {
    if constexpr (std::is_same_v<T, bfloat16>) {
      values.push_back(static_cast<float>(value));
    } else {
      values.push_back(value);
    }
  }
  return values;
}

void write_host(const std::vector<double>& values, const Tensor& tensor) {
  switch (tensor.dtype) {
    case DType::kFloat32:
      return write_as(values, tensor.as<float>());
    case DType::kBFloat16:
      return write_as(values, tensor.as<bfloat16>());
    case DType::kFloat64:
      return write_as(values, tensor.as<double>());
    case DType::kInt32:
      return write_as(values, tensor.as<std::int32_t>());
  }
}

std::vector<double> read_host(const Tensor& tensor) {
  switch (tensor.dtype) {
    case DType::kFloat32:
      return read_as(tensor.span<float>());
    case DType::kBFloat16:
      return read_as(tensor.span<bfloat16>());
    case DType::kFloat64:
      return read_as(tensor.span<double>());
    case DType::kInt32:
      return read_as(tensor.span<std::int32_t>());
  }
  return {};
}

// The same elements in host memory.
struct HostCopy {
  explicit HostCopy(const Tensor& like)
      : memory(host_memory(), like.bytes()), tensor{memory.data(), like.shape, like.dtype} {}
  Block memory;
  Tensor tensor;
};

}  // namespace

std::vector<double> draw(std::string_view name, std::int64_t count) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::vector<float> numbers(static_cast<std::size_t>(count));
  random::fill_normal({.seed = hash, .purpose = random::Purpose::kBenchmark}, numbers);
  return {numbers.begin(), numbers.end()};
}

void write_values(Device& device, const std::vector<double>& values, const Tensor& tensor) {
  EDT_ASSERT(static_cast<std::int64_t>(values.size()) == tensor.elements());
  const HostCopy copy(tensor);
  write_host(values, copy.tensor);
  device.upload(copy.tensor.data, tensor);
}

std::vector<double> read_values(Device& device, const Tensor& tensor) {
  const HostCopy copy(tensor);
  device.download(tensor, copy.tensor.data);
  return read_host(copy.tensor);
}

CaseInputs::Entry* CaseInputs::find(std::string_view name) {
  for (const auto& entry : entries_) {
    if (entry->name == name) return entry.get();
  }
  return nullptr;
}

CaseInputs::Entry& CaseInputs::make(std::string_view name, const Shape& shape, DType dtype) {
  auto entry = std::make_unique<Entry>();
  entry->name = name;
  entry->value = {nullptr, shape, dtype};
  entry->memory = Block(backend_.memory(), entry->value.bytes());
  entry->value.data = entry->memory.data();
  return *entries_.emplace_back(std::move(entry));
}

CaseInputs::Entry& CaseInputs::filled(std::string_view name, const Shape& shape, DType dtype,
                                      const Generator& generator) {
  if (Entry* entry = find(name)) return *entry;
  Entry& entry = make(name, shape, dtype);
  write_values(backend_, generator(shape.elements()), entry.value);
  return entry;
}

const Var& CaseInputs::leaf(Tape& tape, std::string_view name, const Shape& shape,
                            Generator generator) {
  Entry& entry = filled(name, shape, dtype_, generator);
  entry.differentiable = true;
  if (!entry.leaf) entry.leaf = tape.leaf(entry.value, true);
  return entry.leaf;
}

const Var& CaseInputs::leaf(Tape& tape, std::string_view name, const Shape& shape, double scale) {
  return leaf(tape, name, shape, scaled(name, scale));
}

const Var& CaseInputs::constant(Tape& tape, std::string_view name, const Shape& shape,
                                double scale) {
  Entry& entry = filled(name, shape, dtype_, scaled(name, scale));
  if (!entry.leaf) entry.leaf = tape.leaf(entry.value);
  return entry.leaf;
}

Parameter& CaseInputs::parameter(std::string_view name, const Shape& shape, double scale) {
  Entry& entry = filled(name, shape, dtype_, scaled(name, scale));
  if (!entry.parameter) {
    entry.differentiable = true;
    Tensor grad{nullptr, shape, accurate_dtype()};
    entry.grad_memory = Block(backend_.memory(), grad.bytes());
    grad.data = entry.grad_memory.data();
    entry.parameter = std::make_unique<Parameter>(
        Parameter{.name = entry.name, .shape = shape, .value = entry.value, .grad = grad});
  }
  return *entry.parameter;
}

Tensor CaseInputs::tensor(std::string_view name, const Shape& shape, DType dtype,
                          Generator generator) {
  return filled(name, shape, dtype, generator).value;
}

Tensor CaseInputs::tensor(std::string_view name, const Shape& shape, DType dtype, double scale) {
  return tensor(name, shape, dtype, scaled(name, scale));
}

Tensor CaseInputs::labels(std::string_view name, const std::vector<std::int32_t>& values) {
  return tensor(name, {static_cast<std::int64_t>(values.size())}, DType::kInt32,
                [&](std::int64_t) { return std::vector<double>(values.begin(), values.end()); });
}

VisibleTokens CaseInputs::visible_tokens(std::string_view name, std::int64_t batch,
                                         const TokenGrid& grid, std::int64_t visible) {
  const std::int64_t tokens = grid.tokens();
  std::vector<double> ids, places;
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::vector<double> noise = draw(fmt::format("{} of sample {}", name, b), tokens);
    std::vector<std::int64_t> order(static_cast<std::size_t>(tokens));
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, {}, [&](auto i) { return noise[static_cast<std::size_t>(i)]; });
    std::ranges::sort(order.begin(), order.begin() + visible);
    ids.insert(ids.end(), order.begin(), order.begin() + visible);
    for (std::int64_t t = 0; t < tokens; ++t) {
      const auto at = std::find(order.begin(), order.begin() + visible, t) - order.begin();
      places.push_back(at < visible ? static_cast<double>(at) : -1);
    }
  }
  const auto make = [&](const char* what, std::int64_t columns, const std::vector<double>& values) {
    return tensor(fmt::format("{} {}", name, what), {batch, columns}, DType::kInt32,
                  [&](std::int64_t) { return values; });
  };
  return {make("ids", visible, ids), make("places", tokens, places), grid};
}

Tensor CaseInputs::output(std::string_view name, const Shape& shape, DType dtype) {
  if (Entry* entry = find(name)) return entry->value;
  Entry& entry = make(name, shape, dtype);
  entry.is_output = true;
  return entry.value;
}

void CaseInputs::end_step() {
  for (const auto& entry : entries_) {
    entry->leaf = {};
    if (!entry->parameter) continue;
    entry->parameter->pending_uses = 0;
    entry->parameter->grad_written = false;
  }
}

}  // namespace edt
